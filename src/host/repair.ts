// The SQL that makes a database and its roles again what their row asks for. The tenant's own code
// never runs with the rights of the platform.
import type { AccessRepair, DatabaseNames, LoginRepair } from "../core/host-port.ts";
import { identifier } from "./name.ts";
import type { LocalHostPort } from "./port.ts";
import type { Query, SqlPool } from "./sql.ts";
import { type ControlLogin, inDatabase, releaseLock, takeLock } from "./template.ts";
import { setVerifier } from "./verifier.ts";

type RepairEffects = Pick<LocalHostPort, "repairLogin" | "repairAccess" | "adoptObjects">;

/** Binds the effects to one host's connections. */
export function repairSql(pool: SqlPool, login: () => Promise<ControlLogin>): RepairEffects {
  return {
    repairLogin: (wanted) => pool.lend((query) => repairLogin(query, wanted)),
    repairAccess: (wanted) => pool.lend((query) => repairAccess(query, wanted)),
    adoptObjects: (names) => pool.lend(async (query) => adopt(query, await login(), names)),
  };
}

const powerless = "nosuperuser nocreatedb nocreaterole noreplication nobypassrls";

async function repairLogin(query: Query, wanted: LoginRepair): Promise<void> {
  const [owner, login] = [identifier(wanted.ownerRole), identifier(wanted.loginRole)];
  await query(`
    ${createIfMissing(owner)};
    ${createIfMissing(login)};
    alter role ${owner} nologin ${powerless};
    alter role ${login} login inherit ${powerless} connection limit -1 valid until 'infinity'`);
  if (wanted.groupRole !== null) await repairGroup(query, wanted, identifier(wanted.groupRole));
  if (wanted.verifier !== null) await query(setVerifier(login, wanted.verifier));
}

// The `SET role` of one database would come before that of all of them.
async function repairGroup(query: Query, wanted: LoginRepair, group: string): Promise<void> {
  const [database, login] = [identifier(wanted.databaseName), identifier(wanted.loginRole)];
  await query(`
    do $$ declare other text; begin
      for other in
        select r.rolname from pg_auth_members
        join pg_roles r on r.oid = roleid join pg_roles l on l.oid = member
        where l.rolname = '${login}' and r.rolname <> '${group}'
      loop execute format('revoke %I from ${login}', other); end loop;
    end $$;
    grant ${group} to ${login} with admin false, inherit true, set true;
    alter role ${login} in database ${database} reset role;
    alter role ${login} set role = ${group}`);
}

async function repairAccess(query: Query, wanted: AccessRepair): Promise<void> {
  const [database, owner] = [identifier(wanted.databaseName), identifier(wanted.ownerRole)];
  const create = wanted.mayCreate ? "grant" : "revoke";
  await query(`
    alter database ${database} with allow_connections true connection limit -1;
    revoke all on database ${database} from public;
    grant connect on database ${database} to ${owner};
    ${create} create, temporary on database ${database}
      ${wanted.mayCreate ? "to" : "from"} ${owner}`);
  for (const parameter of wanted.parameters) {
    if (!/^\w+(\.\w+)?$/.test(parameter)) throw new Error("Not the name of a parameter.");
    await query(`alter database ${database} reset ${parameter}`);
  }
}

// Waits two seconds at most for the tenant's own locks: behind it the tenant would wait as well.
async function adopt(query: Query, login: ControlLogin, names: DatabaseNames): Promise<void> {
  const [owner, role] = [identifier(names.ownerRole), identifier(names.loginRole)];
  const text = `set lock_timeout = '2s'; reassign owned by ${role} to ${owner}`;
  await inDatabase(query, login, identifier(names.databaseName), text);
}

/** Drops a database, and ends who is in it. */
export async function dropDatabase(query: Query, name: string): Promise<void> {
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

/** Drops a role; what a login owns in a database that stays goes to the owner it is a member of. */
export async function dropRole(query: Query, login: ControlLogin, name: string): Promise<void> {
  const role = identifier(name);
  const found = await query(`select from pg_roles where rolname = '${role}'`);
  if (found.length === 0) return;
  await query(`alter role ${role} nologin`);
  await query(`select pg_terminate_backend(pid) from pg_stat_activity where usename = '${role}'`);
  const used = await query(`
    select distinct datname::text as database, (
      select g.rolname::text from pg_auth_members join pg_roles g on g.oid = roleid
      where member = refobjid and g.rolname ~ '^(trash_[0-9]{8}_)?own_' limit 1) as owner
    from pg_shdepend join pg_database d on d.oid = dbid
    where refclassid = 'pg_authid'::regclass and refobjid = '${role}'::regrole`);
  for (const { database, owner } of used) {
    if (owner === null) throw new Error(`${role} owns things, and there is no owner to have them.`);
    const text = `reassign owned by ${role} to ${identifier(String(owner))}; drop owned by ${role}`;
    await inDatabase(query, login, identifier(String(database)), text);
  }
  await query(`drop role if exists ${role}`);
}

function createIfMissing(role: string): string {
  return `
    do $$ begin
      if not exists (select from pg_roles where rolname = '${role}') then
        create role ${role} nologin;
      end if;
    end $$`;
}
