// A second database for the roles of a first: what is restored takes shape in it, and then takes
// the first one's place.
import { identifier } from "./name.ts";
import type { LocalHostPort } from "./port.ts";
import type { Query, SqlPool } from "./sql.ts";
import {
  type ControlLogin,
  createFromTemplate,
  ownSchema,
  releaseLock,
  takeLock,
} from "./template.ts";

/** Binds the effects to one host's connections. */
export function twinSql(
  pool: SqlPool,
  login: () => Promise<ControlLogin>,
): Pick<LocalHostPort, "oidOf" | "createTwin" | "dropTwin"> {
  return {
    oidOf: (name) => pool.lend((query) => oidOf(query, name)),
    createTwin: (name, owner) =>
      pool.lend(async (query) => createTwin(query, await login(), name, owner)),
    dropTwin: (name) => pool.lend((query) => dropTwin(query, name)),
  };
}

async function oidOf(query: Query, name: string): Promise<number | null> {
  const [row] = await query("select oid::int8::float8 as oid from pg_database where datname = $1", [
    identifier(name),
  ]);
  return row === undefined ? null : Number(row.oid);
}

async function createTwin(query: Query, login: ControlLogin, name: string, owner: string) {
  const [database, role] = [identifier(name), identifier(owner)];
  const [found] = await query(`
    ${takeLock(database)};
    select exists (select from pg_database where datname = '${database}') as is_there`);
  if (found?.is_there !== true) {
    await createFromTemplate(query, database);
    await ownSchema(query, login, database, role);
  }
  await query(`
    revoke all on database ${database} from public;
    grant connect, create, temporary on database ${database} to ${role};
    alter database ${database} connection limit -1;
    ${releaseLock(database)}`);
}

async function dropTwin(query: Query, name: string): Promise<void> {
  const database = identifier(name);
  const found = await query(`
    ${takeLock(database)};
    select from pg_database where datname = '${database}'`);
  if (found.length > 0) {
    await query(`alter database ${database} with allow_connections false`);
    await query(`drop database if exists ${database} with (force)`);
  }
  await query(releaseLock(database));
}
