// Dumps: one database each, in pg_dump's custom format. They are loaded by a recovery.
import { z } from "zod";
import { DatabaseName } from "../database.ts";
import { DumpReport, OneDump, StoredDump } from "../dump.ts";
import { Nothing } from "../protocol.ts";

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
