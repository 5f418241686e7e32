// What is wanted of each database of a host, in one file; from it follow the lines of the poolers.
import { z } from "zod";
import { readIfExists, writeAtomically } from "../file.ts";
import type { Line } from "../pooler/render.ts";

const Limits = z.strictObject({
  poolSize: z.int().min(1),
  clientsMax: z.int().min(1),
});

/** One database, as its tenant has it. */
export const DatabaseRecord = z.strictObject({
  database: z.string(),
  /** What it is called in its instance, where that differs: a preview's source. */
  inside: z.string().optional(),
  /** Its logins with their verifiers; the first one owns the database. */
  users: z.array(z.strictObject({ name: z.string(), verifier: z.string() })).min(1),
  transaction: Limits,
  session: Limits,
  /** Networks it may be reached from, in CIDR; all when empty. */
  allowedNetworks: z.array(z.string()),
  /** Idle time after which it sleeps; 0 is never. */
  suspendAfterSeconds: z.int().min(0),
});
export type DatabaseRecord = z.infer<typeof DatabaseRecord>;

/** The databases of a host. */
export interface DatabaseFile {
  all(): readonly DatabaseRecord[];
  /** @throws Error when there is none of this name */
  get(database: string): DatabaseRecord;
  has(database: string): boolean;
  /** Puts one in, or in the place of what is wanted of it so far; on disk before it returns. */
  put(record: DatabaseRecord): void;
  remove(database: string): void;
}

/** Opens what is kept in a file. */
export function openDatabaseFile(file: string): DatabaseFile {
  const kept = z.array(DatabaseRecord).parse(JSON.parse(readIfExists(file) ?? "[]"));
  const records = new Map(kept.map((record) => [record.database, record]));
  const write = () => writeAtomically(file, JSON.stringify([...records.values()]));
  return {
    all: () => [...records.values()],
    has: (database) => records.has(database),
    get(database) {
      const record = records.get(database);
      if (record === undefined) throw new Error(`There is no database ${database} on this host.`);
      return record;
    },
    put(record) {
      records.set(record.database, record);
      write();
    },
    remove(database) {
      if (records.delete(database)) write();
    },
  };
}

/** The line of a database in one pooler. */
export function lineOf(
  record: DatabaseRecord,
  mode: "transaction" | "session",
  link: string,
): Line {
  const { database, inside = database, users, allowedNetworks } = record;
  return { database, inside, link, limits: record[mode], users, allowedNetworks };
}
