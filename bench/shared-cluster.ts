// The peer of much that is measured: one Postgres that all databases share, with the programs and
// the settings of an instance.
import type { ClientConfig } from "pg";
import type { Binaries } from "../host/base/binaries.ts";
import { platformPassword, platformRole } from "../host/instance/fleet.ts";
import { socketPort } from "../host/instance/place.ts";
import { openTestFleet } from "../test/support/fleet.ts";
import { onEnd } from "./ending.ts";

const name = "shared_peer";

/** One Postgres for many databases, and its superuser. */
export interface SharedCluster {
  readonly superuser: Required<Pick<ClientConfig, "host" | "port" | "user">> & {
    readonly password: string;
  };
  readonly binaries: Binaries;
  /** The word of its command line by which its processes are found. */
  readonly word: string;
}

/** Starts one for so many backends; it ends with the figure. */
export async function startSharedCluster(backendsMax: number): Promise<SharedCluster> {
  const fleet = await openTestFleet();
  onEnd(fleet.remove);
  const instance = await fleet.make(name, {
    memoryBytes: 2048 * 1024 ** 2,
    processors: 2,
    backendsMax,
    temporaryBytesMax: 1024 ** 3,
  });
  const { door } = fleet.box(instance).place;
  const password = platformPassword(fleet.fleet, name);
  const superuser = { host: door, port: socketPort, user: platformRole, password };
  return { superuser, binaries: fleet.fleet.binaries, word: name };
}
