// One look at all databases: what Postgres counted since the one before, what the poolers have and
// what was logged.
import { reservedDatabases } from "../src/contract/database.ts";
import type { Sample } from "./metric-series.ts";
import type { PoolerState } from "./pooler-state.ts";
import type { Session } from "./session.ts";

export interface MetricLookOptions {
  /** A session no one else waits for: sizes of a thousand databases take a third of a second. */
  readonly control: Session;
  readonly poolers: { readonly transaction: PoolerState; readonly session: PoolerState };
  /** Errors by database since it was last called. */
  readonly countErrors: () => Promise<ReadonlyMap<string, number>>;
}

/** What looks remember from one to the next. */
export interface MetricLook {
  /** By database, for all there are. The first look counts nothing. */
  next(): Promise<ReadonlyMap<string, Sample>>;
  /** Measures those that did something since they were measured. */
  measure(): Promise<void>;
  sizeOf(database: string): number | undefined;
  /** Counts a slow statement. */
  countSlow(database: string): void;
}

interface Counters extends Record<string, unknown> {
  readonly database: string;
  readonly transactions: number;
  readonly rollbacks: number;
  readonly blocks_hit: number;
  readonly blocks_read: number;
  readonly deadlocks: number;
  readonly temporary_bytes: number;
  readonly backends: number;
}

const reserved = reservedDatabases.map((name) => `'${name}'`).join(", ");
const counters = `
  select datname as database, (xact_commit + xact_rollback)::float8 as transactions,
    xact_rollback::float8 as rollbacks, blks_hit::float8 as blocks_hit,
    blks_read::float8 as blocks_read, deadlocks::float8 as deadlocks,
    temp_bytes::float8 as temporary_bytes, numbackends as backends
  from pg_stat_database
  where datname ~ '^[a-z][a-z0-9_]*$' and datname not in (${reserved})`;

const sizesOf = (names: readonly string[]) => `
  select datname as database, pg_database_size(oid)::float8 as bytes from pg_database
  where datname in (${names.map((name) => `'${name}'`).join(", ")})`;

const fromPostgres = [
  "transactions",
  "rollbacks",
  "blocks_hit",
  "blocks_read",
  "deadlocks",
  "temporary_bytes",
] as const;

/** What Postgres counted between two looks; it counts from nothing after a crash. */
function deltas(row: Counters, before: Counters | undefined) {
  const isReset = before !== undefined && row.transactions < before.transactions;
  const from = (name: (typeof fromPostgres)[number]) => (isReset ? 0 : (before?.[name] ?? 0));
  const entries = fromPostgres.map((name) => [name, Math.max(0, row[name] - from(name))]);
  return Object.fromEntries(entries) as Pick<Sample, (typeof fromPostgres)[number]>;
}

/** Begins to look. */
export function createMetricLook(options: MetricLookOptions): MetricLook {
  const { control, poolers, countErrors } = options;
  let before: ReadonlyMap<string, Counters> | undefined;
  const sizes = new Map<string, number>();
  const slow = new Map<string, number>();
  const moved = new Set<string>();

  async function measure(databases: readonly string[]): Promise<void> {
    if (databases.length === 0) return;
    const found = await control.query<{ database: string; bytes: number }>(sizesOf(databases));
    for (const { database, bytes } of found) sizes.set(database, bytes);
    for (const database of databases) moved.delete(database);
  }

  // One that is missing before came since: all it counted is new.
  function deltasOf(row: Counters) {
    return deltas(row, before === undefined ? row : before.get(row.database));
  }

  async function next(): Promise<ReadonlyMap<string, Sample>> {
    const rows = await control.query<Counters>(counters);
    const now = new Map(rows.map((row) => [row.database, row]));
    await measure([...now.keys()].filter((database) => !sizes.has(database)));
    for (const database of sizes.keys()) if (!now.has(database)) sizes.delete(database);
    const pools = await Promise.all([poolers.transaction.use(), poolers.session.use()]);
    // Nothing fails from here on, so nothing that was counted is lost.
    const errors = await countErrors();
    const samples = rows.map((row): [string, Sample] => {
      const { database } = row;
      const uses = pools.flatMap((pool) => pool.get(database) ?? []);
      const sample = {
        ...deltasOf(row),
        errors: errors.get(database) ?? 0,
        slow_statements: slow.get(database) ?? 0,
        size_bytes: sizes.get(database) ?? 0,
        client_connections: uses.reduce((sum, { clients }) => sum + clients, 0),
        waiting_clients: uses.reduce((sum, { waiting }) => sum + waiting, 0),
        server_connections: row.backends,
      };
      if (sample.transactions > 0) moved.add(database);
      return [database, sample];
    });
    before = now;
    slow.clear();
    return new Map(samples);
  }

  return {
    next,
    measure: () => measure([...moved]),
    sizeOf: (database) => sizes.get(database),
    countSlow(database) {
      slow.set(database, (slow.get(database) ?? 0) + 1);
    },
  };
}
