// Samples every database once a minute: what Postgres counted since, what the poolers have, what
// was logged. An idle database costs nothing: a minute in which nothing happened is not kept.
import { readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { MetricPoint } from "../src/contract/host.ts";
import { readIfExists } from "./file.ts";
import { countErrors, type ErrorCount } from "./log-search.ts";
import { addSample, emptySeries, pointsOf, type Sample, Series } from "./metric-series.ts";
import type { PoolerState, PoolUse } from "./pooler-state.ts";
import type { Session } from "./session.ts";

/** Metrics of all databases of a cluster. */
export interface Metrics {
  /** One look at everything; called once a minute. */
  sample(): Promise<void>;
  /** Counts a slow statement. */
  countSlow(database: string): void;
  of(database: string, windowSeconds: number): MetricPoint[];
}

export interface MetricOptions {
  readonly control: Session;
  readonly poolers: { readonly transaction: PoolerState; readonly session: PoolerState };
  readonly logDirectory: string;
  /** Where series are kept. */
  readonly directory: string;
  readonly now: () => number;
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

const counters = `
  select datname as database, (xact_commit + xact_rollback)::float8 as transactions,
    xact_rollback::float8 as rollbacks, blks_hit::float8 as blocks_hit,
    blks_read::float8 as blocks_read, deadlocks::float8 as deadlocks,
    temp_bytes::float8 as temporary_bytes, numbackends as backends
  from pg_stat_database where datname like 'proj\\_%'`;

const sizesOf = (names: readonly string[]) => `
  select datname as database, pg_database_size(oid)::float8 as bytes from pg_database
  where datname in (${names.map((name) => `'${name}'`).join(", ")})`;

const deltas = [
  "transactions",
  "rollbacks",
  "blocks_hit",
  "blocks_read",
  "deadlocks",
  "temporary_bytes",
] as const;

/** Opens what is kept. */
export function openMetrics(options: MetricOptions): Metrics {
  const { control, poolers, directory, now } = options;
  const all = readAll(directory);
  const before = new Map<string, Counters>();
  const sizes = new Map<string, number>();
  const slow = new Map<string, number>();
  let errors: ErrorCount = { cursor: null, counts: new Map() };

  async function sample(): Promise<void> {
    const at = now();
    const [rows, pooled, direct] = await Promise.all([
      control.query<Counters>(counters),
      poolers.transaction.use(),
      poolers.session.use(),
    ]);
    errors = await countErrors(options.logDirectory, errors.cursor);
    await measure(
      control,
      rows.filter((row) => isMoved(row, before.get(row.database))),
      sizes,
    );
    for (const row of rows) {
      const { database } = row;
      const point = {
        ...countsOf(row, before.get(database)),
        ...clientsOf(pooled.get(database), direct.get(database)),
        errors: errors.counts.get(database) ?? 0,
        slow_statements: slow.get(database) ?? 0,
        size_bytes: sizes.get(database) ?? 0,
        server_connections: row.backends,
      };
      before.set(database, row);
      if (isIdle(point)) continue;
      const series = all.get(database) ?? emptySeries();
      addSample(series, at, point);
      all.set(database, series);
      write(directory, database, series);
    }
    slow.clear();
    forgetDropped(new Set(rows.map(({ database }) => database)));
  }

  function forgetDropped(there: ReadonlySet<string>): void {
    for (const database of all.keys()) {
      if (there.has(database)) continue;
      for (const known of [all, before, sizes]) known.delete(database);
      rmSync(fileOf(directory, database), { force: true });
    }
  }

  return {
    sample,
    countSlow(database) {
      slow.set(database, (slow.get(database) ?? 0) + 1);
    },
    of: (database, windowSeconds) =>
      pointsOf(all.get(database) ?? emptySeries(), windowSeconds, now()),
  };
}

async function measure(
  control: Session,
  rows: readonly Counters[],
  sizes: Map<string, number>,
): Promise<void> {
  const names = rows.map(({ database }) => database).filter((name) => /^[a-z0-9_]+$/.test(name));
  if (names.length === 0) return;
  const found = await control.query<{ database: string; bytes: number }>(sizesOf(names));
  for (const { database, bytes } of found) sizes.set(database, bytes);
}

// After a crash Postgres counts from nothing again.
function countsOf(row: Counters, before: Counters | undefined) {
  const since = (name: (typeof deltas)[number]) => {
    const from = before?.[name];
    return from === undefined || row[name] < from ? 0 : row[name] - from;
  };
  const counts = deltas.map((name) => [name, since(name)]);
  return Object.fromEntries(counts) as Pick<Sample, (typeof deltas)[number]>;
}

function clientsOf(pooled: PoolUse | undefined, direct: PoolUse | undefined) {
  return {
    client_connections: (pooled?.clients ?? 0) + (direct?.clients ?? 0),
    waiting_clients: (pooled?.waiting ?? 0) + (direct?.waiting ?? 0),
  };
}

function isMoved(row: Counters, before: Counters | undefined): boolean {
  return before === undefined || row.transactions !== before.transactions;
}

function isIdle({ size_bytes: _, ...rest }: Sample): boolean {
  return Object.values(rest).every((value) => value === 0);
}

function fileOf(directory: string, database: string): string {
  return join(directory, `${database}.json`);
}

function readAll(directory: string): Map<string, Series> {
  const names = readdirSync(directory).filter((name) => name.endsWith(".json"));
  return new Map(
    names.flatMap((name) => {
      const series = readSeries(join(directory, name));
      return series === null ? [] : [[name.slice(0, -".json".length), series] as const];
    }),
  );
}

function readSeries(path: string): Series | null {
  try {
    return Series.parse(JSON.parse(readIfExists(path) ?? ""));
  } catch {
    // Torn by a crash of the machine: it begins anew.
    return null;
  }
}

// Not flushed: a crash of the machine may cost the last minutes of a curve.
function write(directory: string, database: string, series: Series): void {
  const path = fileOf(directory, database);
  writeFileSync(`${path}.part`, JSON.stringify(series), { mode: 0o600 });
  renameSync(`${path}.part`, path);
}
