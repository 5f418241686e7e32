// The SQL behind a tenant's database. Every statement looks before it acts, so that a repeated
// step ends where the first one did.
import type { DatabaseRoles } from "../core/cluster-port.ts";
import type { LocalClusterPort } from "./port.ts";
import type { Query, SqlPool } from "./sql.ts";

/** What the pool's superuser connects as, for the short hop into another database. */
export interface ControlLogin {
  readonly user: string;
  readonly password: string;
}

/** The effects that are SQL. */
export type TenantSql = Omit<LocalClusterPort, "setPools" | "checkReady">;

/** Binds the effects to one cluster's connections. */
export function tenantSql(pool: SqlPool, login: () => Promise<ControlLogin>): TenantSql {
  return {
    createRoles: (roles) => pool.lend((query) => createRoles(query, roles)),
    dropRoles: (roles) => pool.lend((query) => dropRoles(query, roles)),
    createDatabase: (name, owner) =>
      pool.lend(async (query) => createDatabase(query, await login(), name, owner)),
    dropDatabase: (name) => pool.lend((query) => dropDatabase(query, name)),
    probe: (url) => pool.lend((query) => probe(query, url)),
  };
}

async function createRoles(query: Query, roles: DatabaseRoles): Promise<void> {
  const [owner, login] = [identifier(roles.ownerRole), identifier(roles.loginRole)];
  await query(`
    do $$ begin
      if not exists (select from pg_roles where rolname = '${owner}') then
        create role ${owner} nologin;
      end if;
      if not exists (select from pg_roles where rolname = '${login}') then
        create role ${login} nologin;
      end if;
    end $$;
    alter role ${login} login password '${verifier(roles.verifier)}';
    grant ${owner} to ${login} with inherit true, set true;
    alter role ${login} set role = ${owner}`);
}

async function dropRoles(query: Query, roles: Omit<DatabaseRoles, "verifier">): Promise<void> {
  const [owner, login] = [identifier(roles.ownerRole), identifier(roles.loginRole)];
  await query(`drop role if exists ${login}; drop role if exists ${owner}`);
}

// The lock is held by the session that creates: whoever drops or creates the same name waits until
// a create whose client has vanished is over, so that none appears after it was undone.
async function createDatabase(query: Query, login: ControlLogin, name: string, ownerRole: string) {
  const [database, owner] = [identifier(name), identifier(ownerRole)];
  const found = await query(lockThenLook(database));
  if (found.length === 0) {
    // Limit 0 keeps everybody but superusers out until the grants below stand.
    await query(
      `create database ${database} template miosa_template strategy wal_log
       owner miosa_platform connection limit 0`,
    );
  }
  await query(
    `select miosa.dblink_exec(
       format('host=%s port=%s dbname=%s user=%s password=%s',
         split_part(current_setting('unix_socket_directories'), ',', 1),
         current_setting('port'), $1::text, $2::text, $3::text), $4)`,
    [database, login.user, login.password, `alter schema public owner to ${owner}`],
  );
  await query(`
    revoke all on database ${database} from public;
    grant connect, create, temporary on database ${database} to ${owner};
    alter database ${database} connection limit -1;
    ${unlock(database)}`);
}

async function dropDatabase(query: Query, name: string): Promise<void> {
  const database = identifier(name);
  const found = await query(lockThenLook(database));
  if (found.length > 0) {
    // A template or a database with connections could not be dropped; ours is neither for long.
    await query(`alter database ${database} with allow_connections false`);
    await query(`drop database if exists ${database} with (force)`);
  }
  await query(unlock(database));
}

async function probe(query: Query, url: string): Promise<void> {
  const answer = await query("select answer from miosa.dblink($1, 'select 1') as t(answer int)", [
    url,
  ]);
  if (answer[0]?.answer !== 1) throw new Error("The database did not answer through the pooler.");
}

// Two statements of one text: the second takes its snapshot after the lock was granted.
function lockThenLook(database: string): string {
  return `select pg_advisory_lock(hashtextextended('${database}', 0));
    select oid from pg_database where datname = '${database}'`;
}

function unlock(database: string): string {
  return `select pg_advisory_unlock(hashtextextended('${database}', 0))`;
}

/** Names are ours alone; anything else is a defect, never quoted around. */
function identifier(name: string): string {
  if (!/^[a-z][a-z0-9_]{0,62}$/.test(name)) throw new Error("Not a name this system makes.");
  return name;
}

function verifier(text: string): string {
  if (!/^SCRAM-SHA-256\$[A-Za-z0-9+/=:$]+$/.test(text)) throw new Error("Not a SCRAM verifier.");
  return text;
}
