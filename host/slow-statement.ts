// Slow statements, from pg_stat_statements: there constants are $1 already and utility statements,
// those that set passwords among them, are not kept. Postgres' own log of them would write it all.
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { oneLine } from "./log-line.ts";
import type { Session } from "./session.ts";

/** A statement is slow from here on. */
const slowMilliseconds = 1000;
const perLook = 200;

interface Slow extends Record<string, unknown> {
  readonly database: string;
  readonly milliseconds: number;
  readonly query: string;
}

// The longest run since the last look; the looks after begin from nothing.
const look = `
  select datname as database, max_exec_time as milliseconds, left(query, 1900) as query
  from miosa.pg_stat_statements join pg_database on pg_database.oid = dbid
  where max_exec_time >= ${slowMilliseconds} and datname like 'proj\\_%'
  order by max_exec_time desc limit ${perLook}`;

/** Makes the look that writes down what was slow since the last one. */
export function createSlowLook(
  control: Session,
  logDirectory: string,
  count: (database: string) => void,
) {
  return async (): Promise<void> => {
    const rows = await control.query<Slow>(look);
    await control.query("select miosa.pg_stat_statements_reset(0, 0, 0, true)");
    const at = new Date().toISOString();
    const lines = rows.map(({ database, milliseconds, query }) => {
      count(database);
      const message = oneLine(`slow statement: ${Math.round(milliseconds)} ms: ${query}`);
      return `${JSON.stringify({ at, database, message })}\n`;
    });
    if (lines.length === 0) return;
    const file = join(logDirectory, `slow-${at.slice(0, 10)}.json`);
    appendFileSync(file, lines.join(""), { mode: 0o600 });
  };
}
