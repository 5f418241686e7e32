// Who is in a database, and the end of what they do. It is asked in `postgres`, where no tenant
// comes. One that sleeps has nobody in it, and is not woken to say so.
import type { DatabaseSession } from "../../src/contract/instance/session.ts";
import { platformSession } from "../instance/session.ts";
import type { CommandHandlers } from "../server/command.ts";
import type { DatabaseMeans } from "./means.ts";
import { literal } from "./role.ts";

const queryCharactersMax = 2000;

// The host program's own are not the tenant's business, and cannot be ended by it.
const ownOf = (database: string) => `
  select * from pg_stat_activity a where datname = ${literal(database)}
  and backend_type = 'client backend'
  and not exists (select from pg_roles r where r.oid = a.usesysid and r.rolsuper)`;

// A statement that sets a password is not shown: whoever may list sessions need not know it.
const listOf = (database: string) => `
  with own as (${ownOf(database)})
  select pid, usename as role, application_name as application, state,
    wait_event_type || ': ' || wait_event as wait,
    (select coalesce(json_agg(blocker), '[]') from unnest(pg_blocking_pids(pid)) as blocker
     where blocker in (select pid from own)) as blocked_by,
    case when query ~* 'password' then '<a statement that names a password>'
         else left(query, ${queryCharactersMax}) end as query,
    extract(epoch from clock_timestamp() - backend_start)::float8 as age_seconds,
    extract(epoch from clock_timestamp() - xact_start)::float8 as transaction_seconds,
    case when state = 'active'
         then extract(epoch from clock_timestamp() - query_start)::float8 end as query_seconds
  from own order by backend_start, pid`;

interface SessionRow extends DatabaseSession, Record<string, unknown> {}

/** Lists and signals the sessions of databases. */
export function sessionHandlers({
  fleet,
  keeper,
  files,
}: DatabaseMeans): Pick<CommandHandlers, "session.list" | "session.signal"> {
  /** Asks a database's Postgres, when it runs. */
  async function ask<Row extends Record<string, unknown>>(database: string, text: string) {
    files.databases.get(database);
    const { record, server } = keeper.live(database);
    if (server === undefined) return [];
    const { place } = keeper.roster.box(record.name);
    const session = platformSession(fleet, place, record.database);
    try {
      return await session.query<Row>(text);
    } finally {
      await session.close();
    }
  }

  return {
    async "session.list"({ database }) {
      return { sessions: await ask<SessionRow>(database, listOf(database)) };
    },
    async "session.signal"({ database, pid, signal }) {
      const rows = await ask<{ is_done: boolean }>(
        database,
        `select pg_${signal}_backend(pid) as is_done
         from (${ownOf(database)}) o where pid = ${pid}`,
      );
      return { is_done: rows[0]?.is_done === true };
    },
  };
}
