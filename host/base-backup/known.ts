// What a database's instance was last, beside its repository: one that was removed is recovered
// with it.
import { join } from "node:path";
import { readIfExists, writeIfChanged } from "../file.ts";
import { InstanceRecord } from "../instance/record.ts";
import { log, messageOf } from "../log.ts";

const fileIn = (directory: string) => join(directory, "instance.json");

/** Notes what serves a database from now on. */
export function noteInstance(directory: string, record: InstanceRecord): void {
  writeIfChanged(fileIn(directory), `${JSON.stringify(record)}\n`);
}

/** What served it last; undefined when there never was one, or it cannot be read. */
export function knownInstance(directory: string): InstanceRecord | undefined {
  const text = readIfExists(fileIn(directory));
  if (text === undefined) return undefined;
  try {
    return InstanceRecord.parse(JSON.parse(text));
  } catch (error) {
    log("error", `${fileIn(directory)} cannot be read: ${messageOf(error)}`);
    return undefined;
  }
}
