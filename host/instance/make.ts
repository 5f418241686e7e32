// Makes an instance: a copy of the template with an identity, names and passwords of its own. It is
// finished once its record is written; what a crash left before that is removed.
import { endNow, type Running } from "../base/running.ts";
import { discard } from "./discard.ts";
import { copyData, layOut, syncFileSystem, writeSettings } from "./files.ts";
import { boxOf, type Fleet } from "./fleet.ts";
import { renewIdentity } from "./identity.ts";
import { type Names, personalize } from "./personalize.ts";
import { type InstanceRecord, writeRecord } from "./record.ts";
import { startServer } from "./server.ts";
import type { InstanceSize } from "./size.ts";
import { templateName } from "./template.ts";

/** What a new instance is to be. */
export interface NewInstance extends Names {
  /** Its own, which no instance of the host ever had. */
  readonly name: string;
  readonly slot: number;
  readonly size: InstanceSize;
}

/** One that was made, and runs. */
export interface MadeInstance {
  readonly record: InstanceRecord;
  readonly server: Running;
}

const instanceForm = /^[a-z][a-z0-9_.]{0,62}$/;

/**
 * Makes one of a template's data directory, started, on disk and ready for clients.
 * @throws Error when something went wrong; nothing of it is left then
 */
export async function makeInstance(
  fleet: Fleet,
  template: string,
  wanted: NewInstance,
): Promise<MadeInstance> {
  if (!instanceForm.test(wanted.name)) throw new Error("An instance's name is not as it must be.");
  const { name, database, slot, size, login } = wanted;
  const box = boxOf(fleet, name, slot, size);
  let server: Running | undefined;
  layOut(box);
  try {
    writeSettings(box, size);
    await copyData(template, box);
    const systemIdentifier = String(renewIdentity(box.place.box));
    server = await startServer(box);
    await personalize(fleet, box.place, templateName, wanted);
    // A copy is not on disk by itself, and Postgres trusts that it is.
    await syncFileSystem(box.place.directory);
    const own = { name, database, slot, systemIdentifier, size, login };
    const record: InstanceRecord = { ...own, wanted: "running" };
    writeRecord(box.place, record);
    return { record, server };
  } catch (error) {
    if (server !== undefined) await endNow(server);
    await discard(fleet, name);
    throw error;
  }
}
