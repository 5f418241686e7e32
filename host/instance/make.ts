// Makes an instance: a copy of the template with an identity, names and passwords of its own. It is
// finished once its record is written; what a crash left before that is removed.
import { endNow, type Running } from "../base/running.ts";
import { copyData, layOut, removeTree, syncFileSystem, writeSettings } from "./files.ts";
import { boxOf, type Fleet, platformPassword, platformRole } from "./fleet.ts";
import { renewIdentity } from "./identity.ts";
import { type InstanceRecord, writeRecord } from "./record.ts";
import { startServer } from "./server.ts";
import { platformSession, walSlot } from "./session.ts";
import type { InstanceSize } from "./size.ts";
import { templateName } from "./template.ts";
import { verifierOf } from "./verifier.ts";

/** What a new instance is to be. */
export interface NewInstance {
  /** Its own, which no instance of the host ever had. */
  readonly name: string;
  readonly database: string;
  readonly slot: number;
  readonly size: InstanceSize;
  /** The role that owns the database, and the SCRAM verifier of its password. */
  readonly login: string;
  readonly verifier: string;
}

/** One that was made, and runs. */
export interface MadeInstance {
  readonly record: InstanceRecord;
  readonly server: Running;
}

const instanceForm = /^[a-z][a-z0-9_.]{0,62}$/;
const nameForm = /^[a-z][a-z0-9_]{0,62}$/;
const verifierForm = /^SCRAM-SHA-256\$[A-Za-z0-9+/=:$]+$/;

function requireNames({ name, database, login, verifier }: NewInstance): void {
  const areNames = [database, login].every((each) => nameForm.test(each));
  if (instanceForm.test(name) && areNames && verifierForm.test(verifier)) return;
  throw new Error("A name of an instance or its login, or its verifier, is not as it has to be.");
}

/** Gives a copy's database and login their names, and both roles their passwords. */
async function personalize(fleet: Fleet, wanted: NewInstance): Promise<void> {
  const { name, database, login, verifier, slot, size } = wanted;
  const { place } = boxOf(fleet, name, slot, size);
  const own = await verifierOf(platformPassword(fleet, database));
  const session = platformSession(fleet, place, templateName, "postgres");
  try {
    await session.query(`
      alter database ${templateName} rename to ${database};
      alter role ${templateName} rename to ${login};
      alter role ${login} password '${verifier}';
      alter role ${platformRole} password '${own}';
      select pg_create_physical_replication_slot('${walSlot}', true)`);
  } finally {
    await session.close();
  }
}

/**
 * Makes one of a template's data directory, started, on disk and ready for clients.
 * @throws Error when something went wrong; nothing of it is left then
 */
export async function makeInstance(
  fleet: Fleet,
  template: string,
  wanted: NewInstance,
): Promise<MadeInstance> {
  requireNames(wanted);
  const { name, database, slot, size, login } = wanted;
  const box = boxOf(fleet, name, slot, size);
  let server: Running | undefined;
  try {
    await removeTree(box.place.directory);
    layOut(box);
    writeSettings(box, size);
    await copyData(template, box);
    const systemIdentifier = String(renewIdentity(box.place.data));
    server = await startServer(box);
    await personalize(fleet, wanted);
    // A copy is not on disk by itself, and Postgres trusts that it is.
    await syncFileSystem(box.place.directory);
    const own = { name, database, slot, systemIdentifier, size, login };
    const record: InstanceRecord = { ...own, wanted: "running" };
    writeRecord(box.place, record);
    return { record, server };
  } catch (error) {
    if (server !== undefined) await endNow(server);
    await removeTree(box.place.directory);
    throw error;
  }
}
