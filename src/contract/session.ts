// Who is in a database, and the end of what they do.
import { z } from "zod";
import { DatabaseName } from "./name.ts";

/** One backend of a database. */
const DatabaseSession = z.object({
  pid: z.int(),
  role: z.string(),
  application: z.string(),
  /** As in `pg_stat_activity`. */
  state: z.string().nullable(),
  wait: z.string().nullable(),
  /** Pids of the same database it waits for. */
  blocked_by: z.array(z.int()),
  /** At most 2,000 characters; a statement that names a password is not shown. */
  query: z.string(),
  age_seconds: z.number(),
  transaction_seconds: z.number().nullable(),
  query_seconds: z.number().nullable(),
});
export type DatabaseSession = z.infer<typeof DatabaseSession>;

/** How they are listed and signalled. One that sleeps or is stopped has none. */
export const sessionCommands = {
  "session.list": {
    input: z.strictObject({ database: DatabaseName }),
    report: z.object({ sessions: z.array(DatabaseSession) }),
  },
  /** Cancels a statement, or ends a session; false when the database has no such backend. */
  "session.signal": {
    input: z.strictObject({
      database: DatabaseName,
      pid: z.int().min(1),
      signal: z.enum(["cancel", "terminate"]),
    }),
    report: z.object({ is_done: z.boolean() }),
  },
} as const;
