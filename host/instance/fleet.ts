// What all instances of a host share: where they are, whose programs they run, which users they
// become, and how the host program proves to each that it is the host program.
import { createHash, createHmac } from "node:crypto";
import { join } from "node:path";
import type { Binaries } from "../base/binaries.ts";
import type { Box } from "./box.ts";
import type { Groups } from "./group.ts";
import { placeOf } from "./place.ts";
import { dataBytesMax, type InstanceSize, processesMax } from "./size.ts";

/** The instances of a host. */
export interface Fleet {
  readonly binaries: Binaries;
  /** Holds a directory for each, and the template; others may pass through it. */
  readonly directory: string;
  /** User of the first database; each has the next one. Null: all are the host program's own. */
  readonly firstUid: number | null;
  /** Control groups that were delegated for instances; see `group.ts`. */
  readonly groups: Groups;
  /** 256 random bits of this host, of which the platform role's passwords are made. */
  readonly secret: string;
}

/** What tells the processes of this fleet from those of another on the same machine. */
export function fleetMark({ directory }: Pick<Fleet, "directory">): string {
  return createHash("sha256").update(directory).digest("hex").slice(0, 16);
}

/** The superuser of every instance, which is the host program's alone. */
export const platformRole = "miosa";

/**
 * The platform role's password where a database is, also in a copy of its instance; that of no
 * other database helps to guess it.
 */
export function platformPassword({ secret }: Pick<Fleet, "secret">, database: string): string {
  return createHmac("sha256", secret).update(`platform ${database}`).digest("base64url");
}

/** The box of the instance with this name, number and size. */
export function boxOf(fleet: Fleet, name: string, slot: number, size: InstanceSize): Box {
  const { binaries, firstUid } = fleet;
  return {
    binaries,
    mark: fleetMark(fleet),
    groups: () => fleet.groups.hold(name, size),
    place: placeOf(fleet.directory, name),
    uid: firstUid === null ? null : firstUid + slot,
    limits: { dataBytesMax: dataBytesMax(size), processesMax: processesMax(size) },
  };
}

/** Where the parts of a fleet's directory are. */
export function fleetPlaces({ directory }: Pick<Fleet, "directory">) {
  return {
    instances: join(directory, "instance"),
    records: join(directory, "record"),
    /** A link for each instance, which leads its clients to it. */
    links: join(directory, "link"),
    /** Where the host program listens for clients of those that sleep. */
    bells: join(directory, "bell"),
    /** Which instance the clients of each line are led to. */
    lines: join(directory, "line.json"),
  };
}
