// Instances of a test's own, without a host program: real ones, in a directory that goes away.
import { randomBytes } from "node:crypto";
import { chmodSync, rmSync } from "node:fs";
import { Client } from "pg";
import { endNow, type Running } from "../../host/base/running.ts";
import { boxOf, type Fleet, fleetMark } from "../../host/instance/fleet.ts";
import { openGroups } from "../../host/instance/group.ts";
import { makeInstance } from "../../host/instance/make.ts";
import { socketPort } from "../../host/instance/place.ts";
import { findServers } from "../../host/instance/server.ts";
import type { InstanceSize } from "../../host/instance/size.ts";
import { ensureTemplate } from "../../host/instance/template.ts";
import { verifierOf } from "../../host/instance/verifier.ts";
import { makeRunDirectory } from "./process.ts";
import { testBinaries } from "./programs.ts";

/** The published size `small`. */
export const small: InstanceSize = {
  memoryBytes: 512 * 1024 ** 2,
  processors: 1,
  backendsMax: 8,
  temporaryBytesMax: 256 * 1024 ** 2,
};

// Nobody's on a machine; a root without users of its own gives them none.
const testUid = 2_000_000;

/** An instance of a test, and how its tenant gets in. */
export interface TestInstance {
  readonly name: string;
  readonly slot: number;
  readonly login: string;
  readonly password: string;
  readonly server: Running;
}

/** Opens one with its template made. */
export async function openTestFleet(trees: readonly string[] = []) {
  const directory = makeRunDirectory();
  chmodSync(directory, 0o711);
  const isRoot = process.getuid?.() === 0;
  const fleet: Fleet = {
    binaries: testBinaries(),
    directory,
    firstUid: isRoot ? testUid : null,
    groups: openGroups(trees),
    secret: randomBytes(32).toString("base64url"),
  };
  const template = await ensureTemplate(fleet);
  let slots = 0;

  /** Makes one more. */
  async function make(name: string, size = small): Promise<TestInstance> {
    const slot = ++slots;
    const [login, password] = [`usr_${name}`, randomBytes(24).toString("base64url")];
    const verifier = await verifierOf(password, 4096);
    const made = await makeInstance(fleet, template, {
      ...{ name, database: name, slot, size, login, verifier },
    });
    return { name, slot, login, password, server: made.server };
  }

  const box = ({ name, slot }: TestInstance, size = small) => boxOf(fleet, name, slot, size);

  /** Logs in as its tenant. */
  async function connect(instance: TestInstance): Promise<Client> {
    const { name: database, login: user, password } = instance;
    const host = box(instance).place.door;
    const client = new Client({ host, port: socketPort, user, password, database });
    client.on("error", () => undefined);
    await client.connect();
    return client;
  }

  async function remove(): Promise<void> {
    await Promise.all([...findServers(fleetMark(fleet)).values()].map(endNow));
    rmSync(directory, { recursive: true, force: true, maxRetries: 10 });
  }

  return { fleet, template, make, box, connect, remove };
}
