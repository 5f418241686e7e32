// Dumps: one database each, in pg_dump's custom format. They are loaded by a recovery.
import { z } from "zod";
import { DatabaseName } from "./name.ts";
import { Nothing } from "./protocol.ts";

/** A dump of one database that is kept. */
export const StoredDump = z.object({
  dump_id: z.uuid(),
  /** Of the archive itself, in pg_dump's custom format. */
  size_bytes: z.int().min(0),
  /** Of the same, in hexadecimal. */
  sha256: z.string().length(64),
  stored_at: z.iso.datetime(),
  /** As the program says: `pg_dump (PostgreSQL) 17.6`; `received` for what somebody sent. */
  made_with: z.string(),
});
export type StoredDump = z.infer<typeof StoredDump>;

/** What a dump has come to. */
export const DumpReport = z.object({
  state: z.enum(["waiting", "running", "succeeded", "failed"]),
  /** How many are to begin before it, and it; 0 once it has begun. */
  position: z.int().min(0),
  bytes_done: z.int().min(0),
  error: z.string().nullable(),
  /** Once it succeeded. */
  stored: StoredDump.nullable(),
});
export type DumpReport = z.infer<typeof DumpReport>;

/** Which one. */
const OneDump = z.strictObject({ dump_id: z.uuid() });

/** How they are made, looked at and removed. */
export const dumpCommands = {
  /** Begins to dump a database; with an id that is known, nothing. */
  "dump.start": {
    input: z.strictObject({ dump_id: z.uuid(), database: DatabaseName }),
    report: Nothing,
  },
  /** What it has come to; 404 `unknown_dump` also when the host was restarted meanwhile. */
  "dump.status": { input: OneDump, report: DumpReport },
  /** Ends it, whatever it does, and removes it. */
  "dump.remove": { input: OneDump, report: Nothing },
  /** The dumps that are kept. */
  dumps: { input: Nothing, report: z.object({ dumps: z.array(StoredDump) }) },
} as const;
