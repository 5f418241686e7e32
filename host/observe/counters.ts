// What the Postgres of one instance counted, and its slow statements: one session of the platform's
// for as long as two statements take. Constants of statements are $1 already, and those that set
// passwords are not kept; Postgres' own log of slow ones would write it all.
import { appendFileSync } from "node:fs";
import type { Session } from "../base/session.ts";
import type { Fleet } from "../instance/fleet.ts";
import { cutLog } from "../instance/log.ts";
import type { InstancePlace } from "../instance/place.ts";
import { platformSession } from "../instance/session.ts";
import { slowLogOf } from "./log.ts";
import { renderSlowLine } from "./log-line.ts";

/** A statement is slow from here on. */
const slowMilliseconds = 1000;
const slowAtOnce = 20;
const slowLogBytesMax = 1024 ** 2;

/** What is counted since the statistics began. */
export const countedByPostgres = [
  "transactions",
  "rollbacks",
  "blocks_hit",
  "blocks_read",
  "deadlocks",
  "temporary_bytes",
] as const;
export type Counters = Readonly<Record<(typeof countedByPostgres)[number], number>>;

// Without the texts, which are in a file, it costs little to see that there is nothing slow.
const counters = (database: string) => `
  select (xact_commit + xact_rollback)::float8 as transactions, xact_rollback::float8 as rollbacks,
    blks_hit::float8 as blocks_hit, blks_read::float8 as blocks_read,
    deadlocks::float8 as deadlocks, temp_bytes::float8 as temporary_bytes,
    exists (
      select from public.pg_stat_statements(false)
      where dbid = datid and max_exec_time >= ${slowMilliseconds}
    ) as is_slow
  from pg_stat_database where datname = '${database}'`;

// What was told begins anew; nothing else does, so that nothing is lost between two looks.
const tell = (database: string) => `
  with told as materialized (
    select userid, dbid, queryid, max_exec_time, left(query, 4000) as query
    from public.pg_stat_statements(true) join pg_database on pg_database.oid = dbid
    where datname = '${database}' and max_exec_time >= ${slowMilliseconds}
    order by max_exec_time desc limit ${slowAtOnce}
  )
  select max_exec_time as milliseconds, query,
    public.pg_stat_statements_reset(userid, dbid, queryid, true) from told`;

/** Also a text that was forgotten and met again, in the middle of its use, has its constants. */
function withoutStrings(query: string): string {
  return query.replaceAll(/'(?:[^']|'')*'?|\$([a-z_]\w*)?\$[\s\S]*/gi, "'…'");
}

interface Slow extends Record<string, unknown> {
  readonly milliseconds: number;
  readonly query: string;
}

/** Writes down what was slow. @returns how many there were */
async function tellSlow(session: Session, place: InstancePlace, database: string) {
  const rows = await session.query<Slow>(tell(database));
  const at = new Date();
  const lines = rows.map(({ milliseconds, query }) => {
    const text = `slow statement: ${Math.round(milliseconds)} ms: ${withoutStrings(query)}`;
    return renderSlowLine(at, database, text);
  });
  const file = slowLogOf(place);
  cutLog(file, slowLogBytesMax, slowLogBytesMax / 2);
  if (lines.length > 0) appendFileSync(file, lines.join(""), { mode: 0o600 });
  return rows.length;
}

/** What one question has found. */
export interface Asked {
  readonly counters: Counters;
  /** Statements that were slow since the last time. */
  readonly slow: number;
}

/** Asks a running instance; undefined when it does not answer, or has no such database. */
export async function askInstance(
  fleet: Fleet,
  place: InstancePlace,
  database: string,
): Promise<Asked | undefined> {
  const session = platformSession(fleet, place, database);
  try {
    const [row] = await session.query<Counters & { is_slow: boolean }>(counters(database));
    if (row === undefined) return undefined;
    const { is_slow, ...found } = row;
    return { counters: found, slow: is_slow ? await tellSlow(session, place, database) : 0 };
  } catch {
    // It may be stopped at this moment; what it counted it tells the next time.
    return undefined;
  } finally {
    await session.close();
  }
}
