// Where things go that no row names: renamed with the day in front, closed to everybody, and kept
// until a person brings them back or drops them. Nothing here is dropped by the system itself.
import type { TrashItem } from "../core/host-port.ts";
import { identifier } from "./name.ts";
import type { LocalHostPort } from "./port.ts";
import { dropDatabase, dropRole } from "./repair.ts";
import type { Query, SqlPool } from "./sql.ts";
import { type ControlLogin, releaseLock, takeLock } from "./template.ts";

type TrashEffects = Pick<
  LocalHostPort,
  "trashOrphan" | "trashItems" | "restoreTrash" | "dropTrash"
>;

/** Binds the effects to one host's connections. */
export function trashSql(pool: SqlPool, login: () => Promise<ControlLogin>): TrashEffects {
  return {
    trashOrphan: (kind, name, day) => pool.lend((query) => putAside(query, kind, name, day)),
    trashItems: () => pool.lend(listItems),
    restoreTrash: (item) => pool.lend((query) => bringBack(query, item)),
    dropTrash: ({ kind, name }) =>
      pool.lend(async (query) =>
        kind === "database" ? dropDatabase(query, name) : dropRole(query, await login(), name),
      ),
  };
}

type Kind = TrashItem["kind"];

const pattern = /^trash_(\d{4})(\d{2})(\d{2})_([a-z][a-z0-9_]*)$/;

async function putAside(query: Query, kind: Kind, name: string, day: string): Promise<void> {
  const trashName = identifier(`trash_${day.replaceAll("-", "")}_${identifier(name)}`);
  if (kind === "database") await renameDatabase(query, name, trashName, false);
  else await renameRole(query, name, trashName, false);
}

async function bringBack(query: Query, { kind, name, formerName }: TrashItem): Promise<void> {
  if (kind === "database") await renameDatabase(query, name, identifier(formerName), true);
  else await renameRole(query, name, identifier(formerName), /^usr_/.test(formerName));
}

// Its objects, owner and privileges stay as they are.
async function renameDatabase(query: Query, from: string, to: string, isOpen: boolean) {
  const database = identifier(from);
  const found = await query(`
    ${takeLock(database)};
    select from pg_database where datname = '${database}'`);
  if (found.length > 0) {
    await query(`alter database ${database} with allow_connections false`);
    await query(`
      select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '${database}'`);
    await query(`alter database ${database} rename to ${to}`);
    if (isOpen) await query(`alter database ${to} with allow_connections true`);
  }
  await query(releaseLock(database));
}

// The password stays: it is kept as a verifier that does not depend on the name.
async function renameRole(query: Query, from: string, to: string, mayLogIn: boolean) {
  const role = identifier(from);
  const found = await query(`select from pg_roles where rolname = '${role}'`);
  if (found.length === 0) return;
  await query(`alter role ${role} nologin`);
  await query(`
    select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = '${role}'`);
  await query(`alter role ${role} rename to ${to}`);
  if (mayLogIn) await query(`alter role ${to} login`);
}

async function listItems(query: Query): Promise<TrashItem[]> {
  const rows = await query(`
    select 'database' as kind, datname::text as name from pg_database
    where datname like 'trash\\_%'
    union all select 'role', rolname::text from pg_roles where rolname like 'trash\\_%'
    order by kind, name`);
  return rows.flatMap(({ kind, name }) => {
    const [, year, month, date, formerName] = pattern.exec(String(name)) ?? [];
    if (formerName === undefined) return [];
    const day = `${year}-${month}-${date}`;
    return [{ kind: kind as Kind, name: String(name), formerName, day }];
  });
}
