// From what the servers write to the lines about one database. What stands in them is the tenants'
// input: a line belongs to the database Postgres itself names, or the pool PgBouncer names first.
import { z } from "zod";
import type { LogLine } from "../src/contract/host.ts";

const messageCharactersMax = 2000;

/** A line, and the database it is about. */
export interface FoundLine extends LogLine {
  readonly database: string;
}

const PostgresLine = z.object({
  timestamp: z.string(),
  dbname: z.string(),
  error_severity: z.string(),
  state_code: z.string().length(5).optional(),
  message: z.string(),
});

const SlowLine = z.object({ at: z.iso.datetime(), database: z.string(), message: z.string() });

const levels: Readonly<Record<string, LogLine["level"]>> = {
  DEBUG: "debug",
  INFO: "info",
  NOTICE: "info",
  LOG: "info",
  WARNING: "warning",
  ERROR: "error",
  FATAL: "fatal",
  PANIC: "fatal",
};

/** One line without control characters, capped: none can pass for two. */
export function oneLine(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]+/gu, " ").trim();
  if (line.length <= messageCharactersMax) return line;
  // A half of a surrogate pair is no character.
  return `${line.slice(0, messageCharactersMax - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}

/** `2026-11-23 04:13:18.925 UTC` as ISO 8601. */
function isoOf(timestamp: string): string {
  return new Date(timestamp.replace(" UTC", "Z").replace(" ", "T")).toISOString();
}

function parse<Schema extends z.ZodType>(schema: Schema, text: string): z.infer<Schema> | null {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    // The servers' own lines, and one that is half written.
    return null;
  }
}

/** A line of Postgres' log in JSON; null when it is about no database. */
export function postgresLine(text: string): FoundLine | null {
  const line = parse(PostgresLine, text);
  if (line === null) return null;
  return {
    database: line.dbname,
    at: isoOf(line.timestamp),
    source: "postgres",
    level: levels[line.error_severity.replace(/\d$/, "")] ?? "info",
    message: oneLine(line.message),
    sqlstate: line.state_code === undefined || line.state_code === "00000" ? null : line.state_code,
  };
}

// Time, process, severity, connection, pool, and whatever its client has a hand in.
const poolerText =
  /^(\d{4}-[\d-]+ [\d:]{8}\.\d{3} UTC) \[\d+\] (\w+) [CS]-0x[0-9a-f]+: ([a-z0-9_]+)\/(.*)$/;

/** A line of a pooler's log; null when it is about no database. */
export function poolerLine(text: string, mode: "transaction" | "session"): FoundLine | null {
  const found = poolerText.exec(text);
  if (found === null) return null;
  const [, timestamp = "", severity = "", database = "", rest = ""] = found;
  return {
    database,
    at: isoOf(timestamp),
    source: `${mode}-pooler`,
    level: levels[severity] ?? "info",
    message: oneLine(rest),
    sqlstate: null,
  };
}

/** A line about a slow statement, as this program wrote it. */
export function slowLine(text: string): FoundLine | null {
  const line = parse(SlowLine, text);
  if (line === null) return null;
  const { at, database, message } = line;
  return { database, at, source: "postgres", level: "warning", message, sqlstate: null };
}
