import { identifier, lockKey } from "./name.ts";
import type { Query } from "./sql.ts";

/** What the pool's superuser connects as, for the short hop into another database. */
export interface ControlLogin {
  readonly user: string;
  readonly password: string;
}

/** Makes a database out of the template; limit 0 keeps all but superusers out of it. */
export async function createFromTemplate(query: Query, name: string): Promise<void> {
  await query(
    `create database ${identifier(name)} template miosa_template strategy wal_log
     owner miosa_platform connection limit 0`,
  );
}

/** Gives the schema `public` of a database to a role. */
export async function ownSchema(query: Query, login: ControlLogin, name: string, owner: string) {
  await inDatabase(query, login, name, `alter schema public owner to ${identifier(owner)}`);
}

/** Runs SQL in another database of the host, by a short hop within Postgres itself. */
export async function inDatabase(query: Query, login: ControlLogin, name: string, text: string) {
  await query(
    `select miosa.dblink_exec(
       format('host=''%s'' port=%s dbname=%s user=%s password=''%s''',
         trim('"' from split_part(current_setting('unix_socket_directories'), ',', 1)),
         current_setting('port'), $1::text, $2::text, $3::text), $4)`,
    [name, login.user, login.password, text],
  );
}

/**
 * Takes the lock that stands for a database's name. The session that creates holds it: whoever
 * creates or drops the same name waits until a create whose client has vanished is over, so that
 * no database appears after it was undone.
 */
export function takeLock(name: string): string {
  return `select pg_advisory_lock(${lockKey(name)})`;
}

/** Gives that lock back. */
export function releaseLock(name: string): string {
  return `select pg_advisory_unlock(${lockKey(name)})`;
}
