// The backends of one database, and the end of what they do. Every statement names the database,
// so that no pid of a neighbour is ever shown or signalled; nor is one of the platform's own.
import type { DatabaseSession } from "../core/host-port.ts";
import { identifier } from "./name.ts";
import type { LocalHostPort } from "./port.ts";
import type { Query, SqlPool } from "./sql.ts";

const queryCharactersMax = 2000;

/** Binds the effects to one host's connections. */
export function sessionSql(pool: SqlPool): Pick<LocalHostPort, "sessions" | "signalSession"> {
  return {
    sessions: (name) => pool.lend((query) => listSessions(query, name)),
    signalSession: (name, pid, signal) =>
      pool.lend((query) => signalSession(query, name, pid, signal)),
  };
}

// A statement that sets a password is not shown: whoever may list sessions need not know it.
async function listSessions(query: Query, name: string): Promise<DatabaseSession[]> {
  const rows = await query(
    `with own as (
       select * from pg_stat_activity
       where datname = $1 and backend_type = 'client backend' and usename like 'usr\\_%'
     )
     select pid, usename as role, application_name as application, state,
       wait_event_type || ': ' || wait_event as wait,
       (select coalesce(json_agg(blocker), '[]') from unnest(pg_blocking_pids(pid)) as blocker
        where blocker in (select pid from own)) as blocked_by,
       case when query ~* 'password' then '<a statement that names a password>'
            else left(query, ${queryCharactersMax}) end as query,
       extract(epoch from clock_timestamp() - backend_start)::float8 as age,
       extract(epoch from clock_timestamp() - xact_start)::float8 as transaction_age,
       case when state = 'active'
            then extract(epoch from clock_timestamp() - query_start)::float8 end as query_age
     from own order by backend_start, pid`,
    [identifier(name)],
  );
  return rows.map((row) => ({
    pid: Number(row.pid),
    role: String(row.role),
    application: String(row.application),
    state: textOf(row.state),
    wait: textOf(row.wait),
    blockedBy: row.blocked_by as number[],
    query: String(row.query),
    ageSeconds: Number(row.age),
    transactionSeconds: numberOf(row.transaction_age),
    querySeconds: numberOf(row.query_age),
  }));
}

async function signalSession(
  query: Query,
  name: string,
  pid: number,
  signal: "cancel" | "terminate",
): Promise<boolean> {
  const rows = await query(
    `select pg_${signal}_backend(pid) as is_done from pg_stat_activity
     where datname = $1 and pid = $2 and usename like 'usr\\_%'`,
    [identifier(name), pid],
  );
  return rows[0]?.is_done === true;
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function numberOf(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(value);
}
