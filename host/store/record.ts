// What the store has of a database beside its files: what it is, and whose, sealed. With it another
// machine serves it as it was.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { z } from "zod";
import { readIfExists, writeIfChanged } from "../base/file.ts";
import { DatabaseRecord } from "../database/record.ts";
import { InstanceRecord } from "../instance/record.ts";
import { type Copying, sendSealed } from "./copying.ts";
import { databasePrefix, recordKey } from "./key.ts";
import type { S3 } from "./s3.ts";
import type { Sealer } from "./seal.ts";

/** A database as the store knows it. */
export const StoredRecord = z.strictObject({
  record: DatabaseRecord,
  /** The instance it lived in. */
  instance: InstanceRecord,
  /** What the control plane gave along; it alone can read it. */
  owner: z.string().nullable(),
  /** When it was removed; its files are kept for their window. */
  removedAt: z.iso.datetime().nullable(),
});
export type StoredRecord = z.infer<typeof StoredRecord>;

/** Notes of the control plane, a file for each database. */
export function openOwners(directory: string) {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const fileOf = (database: string) => join(directory, `${database}.owner`);
  return {
    get: (database: string) => readIfExists(fileOf(database)) ?? null,
    set: (database: string, owner: string) => writeIfChanged(fileOf(database), owner),
    remove: (database: string) => rmSync(fileOf(database), { force: true }),
  };
}

/** What the store knows of a database; undefined when it knows nothing. */
export async function readStored(
  s3: S3,
  sealer: Sealer,
  database: string,
): Promise<StoredRecord | undefined> {
  const key = databasePrefix(database) + recordKey;
  const object = await s3.get(key);
  if (object === undefined) return undefined;
  const text = sealer.open(key, await buffer(object.stream)).toString();
  return StoredRecord.parse(JSON.parse(text));
}

/** Has the store know it as it is. */
export async function sendRecord(copying: Copying, stored: StoredRecord): Promise<void> {
  // Sleep and waking are not worth an object.
  const instance = { ...stored.instance, wanted: "running" };
  await sendSealed(copying, recordKey, JSON.stringify({ ...stored, instance }));
}

/** Has the store know that it was removed. */
export async function sendRemoval(copying: Copying, database: string): Promise<void> {
  const { s3, sealer, ledger } = copying;
  if (!ledger.has(recordKey)) return;
  const stored = await readStored(s3, sealer, database);
  if (stored === undefined || stored.removedAt !== null) return;
  await sendRecord(copying, { ...stored, removedAt: new Date().toISOString() });
}
