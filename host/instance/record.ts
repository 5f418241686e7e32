// What the host knows of each instance, in a file of its own; a directory without a record is what
// a crash left of one that was being made.
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { writeAtomically } from "../base/file.ts";
import { log, messageOf } from "../base/log.ts";
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
  mkdirSync(dirname(place.record), { recursive: true, mode: 0o700 });
  writeAtomically(place.record, `${JSON.stringify(record)}\n`);
}

/** Every instance there is, and the names of directories that none was finished in. */
export function readRecords(
  instances: string,
  records: string,
): { readonly records: readonly InstanceRecord[]; readonly unfinished: readonly string[] } {
  const list = (directory: string) => (existsSync(directory) ? readdirSync(directory) : []);
  const names = list(records).flatMap((file) => /^(.+)\.json$/.exec(file)?.[1] ?? []);
  const known = new Set(names);
  return {
    records: names.flatMap((name) => readRecord(join(records, `${name}.json`)) ?? []),
    unfinished: list(instances).filter((name) => !known.has(name)),
  };
}

/** One that cannot be read keeps nobody else's from being served; its files stay as they are. */
function readRecord(file: string): InstanceRecord | undefined {
  try {
    return InstanceRecord.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (error) {
    log("error", `${file} is not a record of an instance: ${messageOf(error)}`);
    return undefined;
  }
}
