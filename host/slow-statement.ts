// Slow statements, from pg_stat_statements: there constants are $1 already and utility statements,
// those that set passwords among them, are not kept. Postgres' own log of them would write it all.
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { reservedDatabases } from "../src/contract/database.ts";
import { renderSlowLine } from "./log-line.ts";
import { filesOf, slowLog } from "./log-source.ts";
import type { Session } from "./session.ts";

/** A statement is slow from here on. */
const slowMilliseconds = 1000;
/** Lines of one look: of a database, and of all. */
const perDatabase = 20;
const perLook = 300;
const fileBytesMax = 50 * 1024 * 1024;

interface Slow extends Record<string, unknown> {
  readonly database: string;
  readonly milliseconds: number;
  readonly query: string;
}

const names = reservedDatabases.map((name) => `'${name}'`).join(", ");
const isTenants = `datname not in (${names}) and datname ~ '^[a-z][a-z0-9_]*$'`;

// Without the texts, which are in a file, it costs little to see that there is nothing.
const anySlow = `
  select from miosa.pg_stat_statements(false) where max_exec_time >= ${slowMilliseconds} limit 1`;

// What was told begins anew; nothing else does, so that nothing is lost between two looks.
const tell = `
  with ranked as materialized (
    select userid, dbid, queryid, datname, max_exec_time, left(query, 4000) as query,
      row_number() over (partition by dbid order by max_exec_time desc) as rank
    from miosa.pg_stat_statements join pg_database on pg_database.oid = dbid
    where max_exec_time >= ${slowMilliseconds} and ${isTenants}
  ), told as materialized (
    select * from ranked where rank <= ${perDatabase} order by rank limit ${perLook}
  )
  select datname as database, max_exec_time as milliseconds, query,
    miosa.pg_stat_statements_reset(userid, dbid, queryid, true) from told`;

/** Also a text that was forgotten and met again, in the middle of its use, has its constants. */
function withoutStrings(query: string): string {
  return query.replaceAll(/'(?:[^']|'')*'?|\$([a-z_]\w*)?\$[\s\S]*/gi, "'…'");
}

/** The file lines go to; a new one when the last is long. */
function fileOf(logDirectory: string, at: Date): string {
  const newest = filesOf(logDirectory, slowLog).at(-1);
  if (newest !== undefined && newest.bytes < fileBytesMax) return newest.path;
  return join(logDirectory, `slow-${at.toISOString().slice(0, 19).replaceAll(":", "")}.log`);
}

/** Makes the look that writes down what was slow since the last one. */
export function createSlowLook(
  control: Session,
  logDirectory: string,
  count: (database: string) => void,
) {
  return async (): Promise<void> => {
    if ((await control.query(anySlow)).length === 0) return;
    const rows = await control.query<Slow>(tell);
    if (rows.length === 0) return;
    const at = new Date();
    const lines = rows.map(({ database, milliseconds, query }) => {
      count(database);
      const text = `slow statement: ${Math.round(milliseconds)} ms: ${withoutStrings(query)}`;
      return renderSlowLine(at, database, text);
    });
    appendFileSync(fileOf(logDirectory, at), lines.join(""), { mode: 0o600 });
  };
}
