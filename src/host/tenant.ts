// The SQL behind a tenant's database. Every statement looks before it acts, so that a repeated
// step ends where the first one did.
import type { DatabaseNames, DatabaseSpec } from "../core/host-port.ts";
import { identifier } from "./name.ts";
import type { LocalHostPort } from "./port.ts";
import { claimSpare } from "./spare.ts";
import type { Query, SqlPool } from "./sql.ts";
import { readerOf } from "./storage.ts";
import {
  type ControlLogin,
  createFromTemplate,
  inDatabase,
  ownSchema,
  releaseLock,
  takeLock,
} from "./template.ts";
import { setVerifier } from "./verifier.ts";

// The smallest size's; others are given theirs with their settings.
const temporaryLimit = "256MB";

/** The effects that are SQL. */
export type TenantSql = Pick<
  LocalHostPort,
  | "createDatabase"
  | "dropDatabase"
  | "createLogin"
  | "dropLogin"
  | "measure"
  | "measureAll"
  | "probe"
>;

/** Binds the effects to one host's connections. */
export function tenantSql(pool: SqlPool, login: () => Promise<ControlLogin>): TenantSql {
  return {
    createDatabase: (spec) =>
      pool.lend(async (query) => createDatabase(query, await login(), spec)),
    dropDatabase: (names) => pool.lend((query) => dropDatabase(query, names)),
    createLogin: (spec) => pool.lend((query) => createLogin(query, spec)),
    dropLogin: (names) => pool.lend(async (query) => dropLogin(query, await login(), names)),
    measure: (name) => pool.lend((query) => measure(query, name)),
    measureAll: () => pool.lend(measureAll),
    probe: (url, by) =>
      pool.lend(async (query) => probe(query, by === "socket" ? await bySocket(query, url) : url)),
  };
}

async function createDatabase(query: Query, login: ControlLogin, spec: DatabaseSpec) {
  const { databaseName: name, ownerRole: owner, loginRole } = spec;
  const [found] = await query(`
    ${takeLock(name)};
    ${claimSpare(name, owner)};
    ${createRoles(owner, loginRole, spec.verifier)};
    select exists (select from pg_database where datname = '${identifier(name)}') as is_there`);
  if (found?.is_there !== true) {
    await createFromTemplate(query, name);
    await ownSchema(query, login, name, owner);
  }
  await query(`
    revoke all on database ${name} from public;
    grant connect, create, temporary on database ${name} to ${owner};
    alter database ${name} connection limit -1;
    alter database ${name} set temp_file_limit = '${temporaryLimit}';
    ${releaseLock(name)}`);
}

async function dropDatabase(query: Query, names: DatabaseNames): Promise<void> {
  const database = identifier(names.databaseName);
  const [owner, login] = [identifier(names.ownerRole), identifier(names.loginRole)];
  const found = await query(`
    ${takeLock(database)};
    select from pg_database where datname = '${database}'`);
  if (found.length > 0) {
    // Refuses newcomers first, so that nobody slips in between the end of sessions and the drop.
    await query(`alter database ${database} with allow_connections false`);
    await query(`drop database if exists ${database} with (force)`);
  }
  await query(`
    drop role if exists ${login};
    drop role if exists ${readerOf(owner)};
    drop role if exists ${owner};
    ${releaseLock(database)}`);
}

async function createLogin(query: Query, { ownerRole, loginRole, verifier }: DatabaseSpec) {
  await query(createRoles(ownerRole, loginRole, verifier));
}

async function dropLogin(query: Query, login: ControlLogin, names: DatabaseNames): Promise<void> {
  const [database, role] = [identifier(names.databaseName), identifier(names.loginRole)];
  // In most databases a login has nothing of its own: then nobody has to go in there.
  const [found] = await query(`
    select datallowconn as is_open, exists (
      select from pg_shdepend where refobjid = r.oid and dbid = d.oid) as has_things
    from pg_roles r left join pg_database d on datname = '${database}'
    where rolname = '${role}'`);
  if (found === undefined) return;
  // Nobody logs in with it any more; then nobody is left who did.
  await query(`alter role ${role} nologin`);
  await query(`select pg_terminate_backend(pid) from pg_stat_activity where usename = '${role}'`);
  if (found.has_things === true) {
    // Into one that is stopped superusers get for a moment, and nobody else.
    const isStopped = found.is_open === false;
    const allow = (is: boolean) =>
      query(
        `alter database ${database} with allow_connections ${is} connection limit ${is ? 0 : -1}`,
      );
    if (isStopped) await allow(true);
    await inDatabase(
      query,
      login,
      database,
      `reassign owned by ${role} to ${identifier(names.ownerRole)}; drop owned by ${role}`,
    ).finally(() => (isStopped ? allow(false) : undefined));
  }
  await query(`drop role if exists ${role}`);
}

async function measure(query: Query, name: string): Promise<number> {
  const [row] = await query(`select pg_database_size('${identifier(name)}')::float8 as bytes`);
  return Number(row?.bytes);
}

async function measureAll(query: Query): Promise<Record<string, number>> {
  const rows = await query(`
    select datname as name, pg_database_size(oid)::float8 as bytes from pg_database
    where not datistemplate and datname like 'proj\\_%'`);
  const measured = rows.filter(({ bytes }) => bytes !== null);
  return Object.fromEntries(measured.map((row) => [String(row.name), Number(row.bytes)]));
}

async function probe(query: Query, url: string): Promise<void> {
  const answer = await query("select answer from miosa.dblink($1, 'select 1') as t(answer int)", [
    url,
  ]);
  if (answer[0]?.answer !== 1) throw new Error("The database did not answer through the pooler.");
}

// The poolers' sockets are in directories, named like them, beside Postgres' own.
async function bySocket(query: Query, url: string): Promise<string> {
  const [row] = await query(
    `select trim(both '"' from current_setting('unix_socket_directories')) as directory`,
  );
  const { username, password, port, pathname } = new URL(url);
  const host = encodeURIComponent(`${String(row?.directory)}/transaction`);
  return `postgresql://${username}:${password}@${pathname}?host=${host}&port=${port}`;
}

function createRoles(ownerRole: string, loginRole: string, verifier: string): string {
  const [owner, login] = [identifier(ownerRole), identifier(loginRole)];
  return `
    do $$ begin
      if not exists (select from pg_roles where rolname = '${owner}') then
        create role ${owner} nologin;
      end if;
      if not exists (select from pg_roles where rolname = '${login}') then
        create role ${login} nologin;
      end if;
    end $$;
    alter role ${login} login;
    ${setVerifier(login, verifier)};
    do $$ declare
      -- While a database is full its logins are the reader's.
      wanted name := coalesce(
        (select rolname from pg_roles where rolname = '${readerOf(owner)}'), '${owner}');
    begin
      execute format('grant %I to ${login} with inherit true, set true', wanted);
      execute format('alter role ${login} set role = %I', wanted);
    end $$`;
}
