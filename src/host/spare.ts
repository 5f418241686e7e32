// Spare databases: made while a host is idle, renamed when one is wanted. Creating a database
// writes some 300 files; renaming one writes a catalog row. Spares belong to the host alone:
// no row names them, and a create that finds none makes its database itself.
import { type IdSource, opaqueName } from "../core/id.ts";
import { identifier, lockKey } from "./name.ts";
import type { Query, SqlPool } from "./sql.ts";
import { type ControlLogin, createFromTemplate, ownSchema, takeLock } from "./template.ts";

// Enough for a burst of a platform's sign-ups; each takes about 8 MB.
const sparesMax = 8;
const ready = "miosa_spare_";
const unfinished = "miosa_making_";

/**
 * SQL that turns a spare into `database` with `owner`, in one transaction; without a spare, or when
 * the database is already there, it does nothing. The caller holds the lock of the name.
 */
export function claimSpare(database: string, owner: string): string {
  return `
    do $$ declare spare text; begin
      if exists (select from pg_database where datname = '${identifier(database)}')
        or exists (select from pg_roles where rolname = '${identifier(owner)}') then return; end if;
      select datname into spare from pg_database
        where datname like '${like(ready)}'
          and pg_try_advisory_xact_lock(hashtextextended(datname, 0)) limit 1;
      if spare is null or not exists (select from pg_database where datname = spare) then
        return;
      end if;
      execute format('alter database %I rename to ${database}', spare);
      execute format('alter role %I rename to ${owner}', spare);
    end $$`;
}

/** Makes one spare if fewer than eight are there; true when there may be more to make. */
export async function makeSpare(
  pool: SqlPool,
  login: () => Promise<ControlLogin>,
  source: IdSource,
): Promise<boolean> {
  return pool.lend(async (query) => {
    await dropUnfinished(query);
    const [count] = await query(
      `select count(*)::int as spares from pg_database where datname like '${like(ready)}'`,
    );
    const spares = Number(count?.spares);
    if (spares >= sparesMax) return false;
    const suffix = opaqueName(source, 12);
    const making = `${unfinished}${suffix}`;
    await query(`${takeLock(making)}; create role ${making} nologin`);
    await createFromTemplate(query, making);
    await ownSchema(query, await login(), making, making);
    await query(`
      alter database ${making} rename to ${ready}${suffix};
      alter role ${making} rename to ${ready}${suffix};
      select pg_advisory_unlock(${lockKey(making)})`);
    return spares + 1 < sparesMax;
  });
}

// What a maker left behind that died; one still at work holds the lock of its name.
async function dropUnfinished(query: Query): Promise<void> {
  const left = await query(`
    select rolname as name from pg_roles where rolname like '${like(unfinished)}'
      and pg_try_advisory_lock(hashtextextended(rolname, 0))`);
  for (const { name } of left) {
    const making = identifier(String(name));
    await query(`drop database if exists ${making} with (force)`);
    await query(`drop role if exists ${making}; select pg_advisory_unlock(${lockKey(making)})`);
  }
}

function like(prefix: string): string {
  return `${prefix.replaceAll("_", "\\_")}%`;
}
