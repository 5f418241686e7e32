// What the poolers know of all databases at once: who is connected, and how much was answered. One
// look is two questions to each pooler, whatever runs behind it.
import type { Session } from "../base/session.ts";

/** A database in all poolers that serve it. */
export interface Activity {
  readonly clients: number;
  /** Clients that wait to be served. */
  readonly waiting: number;
  /** Connections to its Postgres. */
  readonly servers: number;
  /** Statements and transactions answered since the poolers started. */
  readonly answered: number;
}

type Row = Readonly<Record<string, unknown>>;

export const noActivity: Activity = { clients: 0, waiting: 0, servers: 0, answered: 0 };

const sumOf = (row: Row, ...columns: readonly string[]) =>
  columns.reduce((sum, column) => sum + Number(row[column]), 0);

const ofPool = (row: Row): Activity => ({
  ...noActivity,
  clients: sumOf(row, "cl_active", "cl_waiting"),
  waiting: sumOf(row, "cl_waiting"),
  servers: sumOf(row, "sv_active", "sv_idle", "sv_used", "sv_tested", "sv_login"),
});

const ofStats = (row: Row): Activity => ({
  ...noActivity,
  answered: sumOf(row, "query_count", "xact_count"),
});

const add = (one: Activity, other: Activity): Activity => ({
  clients: one.clients + other.clients,
  waiting: one.waiting + other.waiting,
  servers: one.servers + other.servers,
  answered: one.answered + other.answered,
});

/** By database; one the poolers have not met is missing. @throws Error when one does not answer */
export async function lookAtPoolers(
  consoles: readonly Pick<Session, "query">[],
): Promise<ReadonlyMap<string, Activity>> {
  const found = new Map<string, Activity>();
  const note = (rows: readonly Row[], read: (row: Row) => Activity) => {
    for (const row of rows) {
      const database = String(row.database);
      found.set(database, add(found.get(database) ?? noActivity, read(row)));
    }
  };
  const answers = await Promise.all(
    consoles.map(async (console) => ({
      pools: await console.query<Row>("SHOW POOLS"),
      stats: await console.query<Row>("SHOW STATS_TOTALS"),
    })),
  );
  for (const { pools, stats } of answers) {
    note(pools, ofPool);
    note(stats, ofStats);
  }
  return found;
}
