// What the host knows of each instance, in a file of its own beside it; a directory without a
// whole record is what a crash left of one that was being made.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { readIfExists, writeAtomically } from "../file.ts";
import type { InstancePlace } from "./place.ts";

const Size = z.strictObject({
  memoryBytes: z.int().min(1),
  processors: z.number().min(0.01),
  backendsMax: z.int().min(1),
  temporaryBytesMax: z.int().min(1),
});

/** One instance, as it is to be found again after a restart. */
export const InstanceRecord = z.strictObject({
  name: z.string(),
  /** Its database; a restored one is another instance of the same. */
  database: z.string(),
  /** Number of its database's user on this host. */
  slot: z.int().min(1),
  /** Postgres' own number of its cluster, as text: it has 64 bits. */
  systemIdentifier: z.string(),
  size: Size,
  /** The login that owns the database. */
  login: z.string(),
  /** Whether it is to run, or to be started by whoever logs in, or by nobody. */
  wanted: z.enum(["running", "asleep", "stopped"]),
});
export type InstanceRecord = z.infer<typeof InstanceRecord>;

/** Keeps what is known of one; on disk before it returns. */
export function writeRecord(place: InstancePlace, record: InstanceRecord): void {
  writeAtomically(place.record, `${JSON.stringify(record)}\n`);
}

/** Every instance in the directory of all, and the names of those that were never finished. */
export function readRecords(instances: string): {
  readonly records: readonly InstanceRecord[];
  readonly unfinished: readonly string[];
} {
  const names = existsSync(instances) ? readdirSync(instances) : [];
  const read = names.map((name) => {
    const text = readIfExists(join(instances, name, "instance.json"));
    return { name, record: text === undefined ? null : InstanceRecord.parse(JSON.parse(text)) };
  });
  return {
    records: read.flatMap(({ record }) => record ?? []),
    unfinished: read.filter(({ record }) => record === null).map(({ name }) => name),
  };
}
