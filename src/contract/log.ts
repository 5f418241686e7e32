// What the servers log about a database.
import { z } from "zod";
import { DatabaseName } from "./name.ts";

/** One line of a server's log about one database; never a statement that sets a password. */
export const LogLine = z.object({
  /** ISO 8601 with milliseconds. */
  at: z.iso.datetime(),
  source: z.enum(["postgres", "transaction-pooler", "session-pooler"]),
  level: z.enum(["debug", "info", "warning", "error", "fatal"]),
  /** One line, no control character, at most 2,000 characters. */
  message: z.string().max(2000),
  /** Of Postgres' errors alone. */
  sqlstate: z.string().length(5).nullable(),
});
export type LogLine = z.infer<typeof LogLine>;

/** Which lines: the last ones, after a cursor or since a moment when given. */
const LogRequest = z.strictObject({
  lines: z.int().min(1).max(1000),
  since: z.iso.datetime().optional(),
  after: z.string().max(400).optional(),
});
export type LogRequest = z.infer<typeof LogRequest>;

/** The question about it. */
export const logCommands = {
  /**
   * The last `lines` lines about one database, the oldest first; `after` a cursor or `since` a
   * moment when given. Without a line the cursor is where the next one will be.
   */
  "database.logs": {
    input: LogRequest.extend({ database: DatabaseName }),
    report: z.object({ lines: z.array(LogLine), cursor: z.string() }),
  },
} as const;
