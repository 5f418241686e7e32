// Deleted rows leave their files as long as they were: a table most of which is gone is written
// anew, as its owner, so that what an index calls runs with no more than the tenant's rights.

import { log, messageOf } from "../base/log.ts";
import { platformSession } from "../instance/session.ts";
import type { DatabaseMeans } from "./means.ts";
import { literal, quoted } from "./role.ts";

const tablesMax = 3;
const tableSeconds = 50;

const mostlyGone = `
  select format('%I.%I', schemaname, relname) as name from pg_stat_user_tables t
  where pg_relation_size(relid) > 1048576 and (
    n_dead_tup > n_live_tup / 4 or pg_relation_size(relid) > 2 * n_live_tup * (
      28 + (select coalesce(sum(avg_width), 72) from pg_stats s
            where s.schemaname = t.schemaname and s.tablename = t.relname)))
  order by pg_relation_size(relid) limit ${tablesMax}`;

const ownerOf = (database: string) => `
  select rolname as name from pg_roles, pg_database
  where datname = ${literal(database)} and datdba = pg_roles.oid`;

interface Named extends Record<string, unknown> {
  readonly name: string;
}

/** Gives disk back that tables no longer need; one that is in use waits for another time. */
export async function compact(means: DatabaseMeans, database: string): Promise<void> {
  const { fleet, keeper } = means;
  const { name } = keeper.live(database).record;
  await keeper.visit(name, async () => {
    const { place } = keeper.roster.box(name);
    const session = platformSession(fleet, place, database, database, tableSeconds + 10);
    try {
      const [owner] = await session.query<Named>(ownerOf(database));
      const tables = await session.query<Named>(mostlyGone);
      await session.query(`
        set role ${quoted(owner?.name ?? "")};
        set lock_timeout = '2s'; set statement_timeout = '${tableSeconds}s'`);
      for (const table of tables) await vacuum(session, database, table.name);
    } finally {
      await session.close();
    }
  });
}

async function vacuum(
  session: ReturnType<typeof platformSession>,
  database: string,
  table: string,
): Promise<void> {
  try {
    await session.query(`vacuum full ${table}`);
  } catch (error) {
    log("warn", `A table of ${database} is compacted another time: ${messageOf(error)}`);
  }
}
