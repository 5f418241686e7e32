// From what an instance's Postgres writes to the lines of its database. The whole log is about one
// database, but the platform works in it, too, and its work is nobody's business. With the settings
// of instances no statement is logged; what is, a tenant chooses: errors that quote it, RAISE.
import { platformRole } from "../instance/fleet.ts";
import { dumpRole } from "../instance/template.ts";
import { type FoundLine, messageLine, severityLevel, timeOf } from "./log-line.ts";

// The last form of these is what a session says, with the login it began with.
const form = /^.{27} \[\d+\] (\w{5}) \(([a-z ]+)\) (?:(\S+) )?([A-Z]+)\d?: {2}([\s\S]*)$/;

/** Of all kinds of processes those that say what concerns a tenant. */
const told = new Set(["client backend", "postmaster", "startup", "autovacuum worker"]);
const platform = new Set<string>([platformRole, dumpRole]);

interface Said {
  readonly state: string;
  readonly kind: string;
  readonly severity: string;
  readonly message: string;
}

function saidIn(entry: string): Said | undefined {
  const [all, state = "", kind = "", login = "", severity = "", message = ""] =
    form.exec(entry) ?? [];
  if (all === undefined || !told.has(kind) || platform.has(login)) return undefined;
  return { state, kind, severity, message };
}

/** An entry of the log of a database's instance; null when it is none of the tenant's. */
export function instanceLine(entry: string, database: string): FoundLine | null {
  const at = timeOf(entry);
  const said = saidIn(entry);
  const level = severityLevel(said?.severity ?? "");
  if (at === "" || said === undefined || level === undefined) return null;
  const { state, message } = said;
  const sqlstate = state === "00000" ? null : state;
  return { database, at, source: "postgres", level, message: messageLine(message), sqlstate };
}

/** True for an entry that tells of an error of a tenant's session. */
export function isInstanceError(entry: string): boolean {
  // Most of what a log says is none.
  if (!/(?:ERROR|FATAL|PANIC): {2}/.test(entry) || timeOf(entry) === "") return false;
  const said = saidIn(entry);
  return said?.kind === "client backend" && /^(?:ERROR|FATAL|PANIC)$/.test(said.severity);
}
