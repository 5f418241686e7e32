// Makes what was recovered a database of its own: another user, another identity, other names.
import { chownSync, rmSync, writeFileSync } from "node:fs";
import type { DatabaseSpec } from "../../src/contract/instance/spec.ts";
import { endNow } from "../base/running.ts";
import { publish } from "../database/make.ts";
import type { DatabaseMeans } from "../database/means.ts";
import { sizeOf } from "../database/spec.ts";
import { passwdText } from "../instance/box.ts";
import { giveTo, syncFileSystem, writeSettings } from "../instance/files.ts";
import { boxOf } from "../instance/fleet.ts";
import { renewIdentity } from "../instance/identity.ts";
import { personalize } from "../instance/personalize.ts";
import type { InstanceState } from "../instance/roster.ts";
import { startServer, stopServer } from "../instance/server.ts";

/** What it becomes. */
export interface NewDatabase {
  readonly database: string;
  readonly spec: DatabaseSpec;
}

/** Gives a recovered instance to a user of its own, and starts it under its new names. */
async function comeUp(
  means: DatabaseMeans,
  { record, server }: InstanceState,
  { database, spec }: NewDatabase,
  slot: number,
): Promise<InstanceState> {
  const { fleet } = means;
  const size = sizeOf(spec);
  const box = boxOf(fleet, record.name, slot, size);
  const { place, uid } = box;
  if (server !== undefined) await stopServer(server);
  await giveTo(box, place.box);
  rmSync(place.passwd, { force: true });
  writeFileSync(place.passwd, passwdText(uid ?? process.getuid?.() ?? 0), { mode: 0o644 });
  if (uid !== null) chownSync(place.socket, uid, uid);
  const systemIdentifier = String(renewIdentity(place.box));
  writeSettings(box, size);
  const started = await startServer(box);
  try {
    const [{ name: login, verifier } = { name: "", verifier: "" }] = spec.logins;
    await personalize(fleet, place, record.database, { database, login, verifier });
    await syncFileSystem(place.directory);
    const own = { database, slot, systemIdentifier, size, login };
    return { record: { ...record, ...own, wanted: "running" }, server: started };
  } catch (error) {
    await endNow(started);
    throw error;
  }
}

/**
 * Has a recovered instance be a database of its own. `note` is called when it is that, and before
 * anything but this knows of it.
 */
export async function adopt(
  means: DatabaseMeans,
  state: InstanceState,
  wanted: NewDatabase,
  note: () => void,
): Promise<void> {
  const { keeper } = means;
  await keeper.withSlot(async (slot) => {
    const made = await comeUp(means, state, wanted, slot);
    note();
    await keeper.adopt(made);
  });
  await publish(means, wanted, state.record.name);
}
