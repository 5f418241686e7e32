// What a session can leave behind in its backend, and how to see it from the next one.
import type { Client } from "pg";

/** Key of the advisory lock that stained sessions hold. */
export const stainedKey = 4711;

// A backend may have been stained before.
const stains = [
  "deallocate all",
  "close all",
  "drop table if exists pg_temp.stain",
  "prepare stain as select 'stain'",
  "create temp table stain as select 'stain' as word",
  "declare stain cursor with hold for select 'stain'",
  "set app.stain = 'stain'",
  "set search_path = stain, public",
  "set statement_timeout = '54321ms'",
  "set timezone = 'Asia/Tokyo'",
  "listen stain",
  `select pg_try_advisory_lock_shared(${stainedKey})`,
];

const look = `
  select current_user::text as acting, session_user::text as login, current_database() as place,
    current_setting('search_path') as path, current_setting('timezone') as zone,
    current_setting('statement_timeout') as timeout,
    nullif(current_setting('app.stain', true), '') as own,
    (select count(*)::int from pg_prepared_statements where from_sql) as prepared,
    (select count(*)::int from pg_cursors where name = 'stain') as cursors,
    (select count(*)::int from pg_class where relname = 'stain') as tables,
    (select count(*)::int from pg_locks where locktype = 'advisory' and pid = pg_backend_pid())
      as locks,
    (select count(*)::int from pg_listening_channels()) as channels`;

/** Leaves all of it in the backend behind each client, all of them at once. */
export async function stain(clients: readonly Client[]): Promise<void> {
  await onEach(clients, async (client) => {
    for (const text of stains) await client.query(text);
  });
}

/** What the backends behind these clients know, all of them at once. */
export function tracesIn(clients: readonly Client[]) {
  return onEach(clients, async (client) => (await client.query(look)).rows[0]);
}

// Every client is in a transaction before the first goes on, so each has a backend of its own.
async function onEach<Result>(
  clients: readonly Client[],
  work: (client: Client) => Promise<Result>,
): Promise<Result[]> {
  await Promise.all(clients.map((client) => client.query("begin")));
  await Promise.all(clients.map((client) => client.query("select 1")));
  const results = await Promise.all(clients.map(work));
  await Promise.all(clients.map((client) => client.query("commit")));
  return results;
}
