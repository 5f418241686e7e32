// From what the servers write to the lines about one database. What stands in them is the tenants'
// input, line breaks and neighbours' names in names of databases and roles included.
import type { LogLine } from "../../src/contract/log.ts";
import { hideSecrets } from "./log-secret.ts";

const messageCharactersMax = 2000;

/** A line, and the database it is about. */
export interface FoundLine extends LogLine {
  readonly database: string;
}

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

/** The level of what Postgres calls by this word; undefined when it calls none so. */
export function severityLevel(severity: string): LogLine["level"] | undefined {
  return levels[severity];
}

/** One line without control characters, capped: none can pass for two. */
export function oneLine(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]+/gu, " ").trim();
  if (line.length <= messageCharactersMax) return line;
  // A half of a surrogate pair is no character.
  return `${line.slice(0, messageCharactersMax - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}

/** What a log says, entry by entry: further lines of one begin with a tab. */
export function entriesOf(text: string): string[] {
  return text.split(/\n(?!\t)/);
}

const momentCharacters = "2026-11-23 04:13:18.925 UTC".length;

/** When an entry of any log was written, as ISO 8601; empty for what is no entry. */
export function timeOf(entry: string): string {
  const moment = entry.slice(0, momentCharacters);
  if (!/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC$/.test(moment)) return "";
  return moment.replace(" UTC", "Z").replace(" ", "T");
}

const begin = "^.{27} \\[\\d+\\]";
const name = "([a-z][a-z0-9_]{0,62})";
const postgresText = new RegExp(
  `${begin} (\\w{5}) \\(client backend\\) ={32} ${name} ={64} ([A-Z]+)\\d?: {2}([\\s\\S]*)$`,
);

const _postgresError = new RegExp(
  `${begin} \\w{5} \\(client backend\\) ={32} ${name} ={64} (?:ERROR|FATAL|PANIC): `,
);

/** What a message says, as it is told. */
export function messageLine(message: string): string {
  // The place in a statement that is not told is of no use.
  return oneLine(hideSecrets(message).replace(/ at character \d+$/, ""));
}

/** An entry of Postgres' log; null when it is about no database. */
export function postgresLine(entry: string): FoundLine | null {
  const at = timeOf(entry);
  const found = postgresText.exec(entry);
  if (at === "" || found === null) return null;
  const [, state = "", database = "", severity = "", message = ""] = found;
  return {
    database,
    at,
    source: "postgres",
    level: levels[severity] ?? "info",
    message: messageLine(message),
    sqlstate: state === "00000" ? null : state,
  };
}

const poolerText = new RegExp(
  `${begin} (\\w+) [CS]-0x[0-9a-f]+: ${name}/([^\\s/@]+@[^\\s@]+:\\d+ [\\s\\S]*)$`,
);

/** An entry of a pooler's log; null when it is about no database. */
export function poolerLine(entry: string, mode: "transaction" | "session"): FoundLine | null {
  const at = timeOf(entry);
  const found = poolerText.exec(entry);
  if (at === "" || found === null) return null;
  const [, severity = "", database = "", message = ""] = found;
  // With a second address the first one is part of a name that somebody made up.
  if (/@[^@]*:\d+ /.test(message.slice(message.indexOf("@") + 1))) return null;
  return {
    database,
    at,
    source: `${mode}-pooler`,
    level: levels[severity] ?? "info",
    message: oneLine(hideSecrets(message)),
    sqlstate: null,
  };
}

/** An entry about a slow statement, in the form this program writes them. */
export function renderSlowLine(at: Date, database: string, text: string): string {
  const moment = at.toISOString().replace("T", " ").replace("Z", " UTC");
  return `${moment} ${database} ${oneLine(hideSecrets(text))}\n`;
}

/** An entry about a slow statement. */
export function slowLine(entry: string): FoundLine | null {
  const at = timeOf(entry);
  const [, database, message] = /^.{27} ([a-z][a-z0-9_]*) (.*)$/.exec(entry) ?? [];
  if (at === "" || database === undefined || message === undefined) return null;
  return { database, at, source: "postgres", level: "warning", message, sqlstate: null };
}
