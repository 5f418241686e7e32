// Reads and deletes only: the logins of a full database become another role than the owner, one
// that may read, delete, truncate and vacuum. The tenant is no member of its owner then, so nothing
// it says can bring that back; its own grants stay as they are, untouched.
import type { DatabaseNames } from "../core/host-port.ts";
import { identifier } from "./name.ts";
import type { LocalHostPort } from "./port.ts";
import type { Query, SqlPool } from "./sql.ts";
import { type ControlLogin, inDatabase } from "./template.ts";

type StorageEffects = Pick<
  LocalHostPort,
  "holdWrites" | "releaseWrites" | "compact" | "limitTemporary"
>;

/** Binds the effects to one host's connections. */
export function storageSql(pool: SqlPool, login: () => Promise<ControlLogin>): StorageEffects {
  return {
    holdWrites: (names) => pool.lend(async (query) => holdWrites(query, await login(), names)),
    releaseWrites: (names) =>
      pool.lend(async (query) => releaseWrites(query, await login(), names)),
    limitTemporary: (name, bytes) => pool.lend((query) => limitTemporary(query, name, bytes)),
    compact: (names) => pool.lend(async (query) => compact(query, await login(), names)),
  };
}

/** The role that may only read and delete. */
export function readerOf(ownerRole: string): string {
  return identifier(ownerRole).replace(/^own_/, "ro_");
}

// Everybody may call these, and each makes a large object, writes into one or makes it longer.
const writers = [
  "lo_creat(int)",
  "lo_create(oid)",
  "lo_from_bytea(oid, bytea)",
  "lo_put(oid, bigint, bytea)",
  "lowrite(int, bytea)",
  "lo_truncate(int, int)",
  "lo_truncate64(int, bigint)",
].join(", ");

// What a function does with its owner's rights it does with the reader's from here on.
const changeDefiners = (from: string, to: string) => `
  for it in select p.oid::regprocedure as name from pg_proc p
    where prosecdef and proowner = '${from}'::regrole
  loop execute format('alter routine %s owner to ${to}', it.name); end loop;`;

const grantReads = (reader: string) => `
  for it in select nspname as name from pg_namespace
    where nspname !~ '^pg_' and nspname <> 'information_schema'
  loop execute format('grant usage on schema %I to ${reader}', it.name); end loop;
  for it in select c.oid::regclass as name, relkind from pg_class c
    join pg_namespace n on n.oid = relnamespace
    where nspname !~ '^pg_' and nspname <> 'information_schema'
      and relkind in ('r', 'p', 'v', 'm', 'S', 'f')
  loop
    execute format('grant %s on %s %s to ${reader}',
      case it.relkind when 'r' then 'select, delete, truncate, maintain'
        when 'p' then 'select, delete, truncate, maintain'
        when 'v' then 'select, delete' else 'select' end,
      case it.relkind when 'S' then 'sequence' else 'table' end, it.name);
  end loop;`;

async function holdWrites(query: Query, login: ControlLogin, names: DatabaseNames): Promise<void> {
  const [database, owner] = [identifier(names.databaseName), identifier(names.ownerRole)];
  const reader = readerOf(owner);
  await query(`
    do $$ begin
      if not exists (select from pg_roles where rolname = '${reader}') then
        create role ${reader} nologin;
      end if;
    end $$;
    grant connect on database ${database} to ${reader};
    revoke create, temporary on database ${database} from ${owner}`);
  // Nobody writes from here on; what was open is ended, and what logs in next is the reader.
  await moveLogins(query, database, owner, reader);
  await inDatabase(
    query,
    login,
    database,
    `set search_path = ''; do $do$ declare it record; begin
       for it in select rolname as name from pg_roles
         join pg_auth_members on member = pg_roles.oid where roleid = '${reader}'::regrole
       loop execute format('reassign owned by %I to ${owner}', it.name); end loop;
       ${grantReads(reader)}
       grant create on schema public to ${reader};
       ${changeDefiners(owner, reader)}
       revoke create on schema public from ${reader};
       revoke execute on function ${writers} from public;
     end $do$`,
  );
}

async function releaseWrites(
  query: Query,
  login: ControlLogin,
  names: DatabaseNames,
): Promise<void> {
  const [database, owner] = [identifier(names.databaseName), identifier(names.ownerRole)];
  const reader = readerOf(owner);
  const found = await query(`select from pg_roles where rolname = '${reader}'`);
  await query(`grant create, temporary on database ${database} to ${owner}`);
  if (found.length === 0) return;
  await inDatabase(
    query,
    login,
    database,
    `set search_path = ''; do $do$ declare it record; begin
       grant execute on function ${writers} to public;
       ${changeDefiners(reader, owner)}
     end $do$;
     reassign owned by ${reader} to ${owner};
     drop owned by ${reader}`,
  );
  await moveLogins(query, database, reader, owner);
  await query(`
    revoke all on database ${database} from ${reader};
    drop role if exists ${reader}`);
}

/** Makes every login that becomes one role become another, and ends the sessions it has. */
async function moveLogins(query: Query, database: string, from: string, to: string) {
  await query(`
    do $$ declare login name; begin
      for login in select rolname from pg_roles
        join pg_auth_members on member = pg_roles.oid
        where roleid = '${from}'::regrole and rolcanlogin
      loop
        execute format('revoke ${from} from %I', login);
        execute format('grant ${to} to %I with inherit true, set true', login);
        execute format('alter role %I set role = ${to}', login);
      end loop;
    end $$`);
  await query(`
    select pg_terminate_backend(pid, 5000) from pg_stat_activity
    where datname = '${database}' and usename in (
      select rolname from pg_roles join pg_auth_members on member = pg_roles.oid
      where roleid = '${to}'::regrole)`);
}

// Deleted rows leave their files as long as they were: a table most of which is gone is written
// anew. As its owner, so that what an index calls runs with no more than the tenant's rights.
async function compact(query: Query, login: ControlLogin, names: DatabaseNames): Promise<void> {
  const [database, owner] = [identifier(names.databaseName), identifier(names.ownerRole)];
  const tables = await query(
    `select name from miosa.dblink(${connection(login, database)}, $$
       select format('%I.%I', schemaname, relname) from pg_stat_user_tables t
       where pg_relation_size(relid) > 1048576 and (
         n_dead_tup > n_live_tup / 4 or pg_relation_size(relid) > 2 * n_live_tup * (
           28 + (select coalesce(sum(avg_width), 72) from pg_stats s
                 where s.schemaname = t.schemaname and s.tablename = t.relname)))
       order by pg_relation_size(relid) limit 3 $$) as t(name text)`,
  );
  for (const { name } of tables) {
    await vacuumAs(query, login, database, owner, String(name));
  }
}

// VACUUM takes no part in a transaction, hence an open connection with a role set beforehand.
async function vacuumAs(
  query: Query,
  login: ControlLogin,
  database: string,
  owner: string,
  table: string,
): Promise<void> {
  const name = "miosa_compact";
  await query(`select miosa.dblink_connect('${name}', ${connection(login, database)})`);
  try {
    const texts = [`set role ${owner}`, "set lock_timeout = '2s'", "set statement_timeout = '50s'"];
    for (const text of texts) await query("select miosa.dblink_exec($1, $2)", [name, text]);
    await query("select miosa.dblink_exec($1, $2)", [name, `vacuum full ${table}`]);
  } finally {
    await query("select miosa.dblink_disconnect($1)", [name]);
  }
}

// A parameter only superusers set: the tenant's own SET and ALTER ROLE are refused.
async function limitTemporary(query: Query, name: string, bytes: number): Promise<void> {
  const kilobytes = Math.floor(bytes / 1024);
  await query(`alter database ${identifier(name)} set temp_file_limit = '${kilobytes}kB'`);
}

function connection({ user, password }: ControlLogin, database: string): string {
  const quoted = password.replaceAll("'", "''''");
  return `format('host=''%s'' port=%s dbname=${database} user=${identifier(user)} password=''%s''',
    trim('"' from split_part(current_setting('unix_socket_directories'), ',', 1)),
    current_setting('port'), '${quoted}')`;
}
