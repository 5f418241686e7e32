// What one pooler does with each database, and the console commands that change it.
import type { Session } from "../base/session.ts";

/** One database in one pooler. */
export interface PoolerFacts {
  readonly isPaused: boolean;
  readonly isDisabled: boolean;
  readonly clients: number;
}

/** Who uses a database through one pooler now. */
export interface PoolUse {
  /** Connected or waiting; in transaction mode a client may be connected and idle for days. */
  readonly clients: number;
  /** Clients that wait to be served. */
  readonly waiting: number;
  /** Backends at work for a client, or about to be. */
  readonly busy: number;
  /** How long the first of those that wait has waited. */
  readonly waitedSeconds?: number;
}

/** One pooler as the lifecycle of databases sees it. Each command may be sent twice. */
export interface PoolerState {
  /** By database; one the pooler has not met is missing. Calls at the same time share a look. */
  facts(): Promise<ReadonlyMap<string, PoolerFacts>>;
  /** By database; one without pools is missing. */
  use(): Promise<ReadonlyMap<string, PoolUse>>;
  /** Statements and transactions it answered since it started, by database. */
  counts(): Promise<ReadonlyMap<string, number>>;
  /** Rejects, paused or not, when backends are still at work after half a second. */
  pause(database: string): Promise<void>;
  resume(database: string): Promise<void>;
  disable(database: string): Promise<void>;
  enable(database: string): Promise<void>;
  /** Ends its clients, or one user's; one that is logging in is none yet. */
  endClients(database: string, user?: string): Promise<void>;
}

/** A waiting PAUSE blocks the console it came from, hence a session for it alone. */
export const pauseMilliseconds = 500;

// RESUME alone of these commands objects to a state that is as wanted already.
async function resume(console: Session, database: string): Promise<void> {
  await console.query(`RESUME ${database}`).catch((error: Error) => {
    if (!/not paused|no such database/.test(error.message)) throw error;
  });
}

function sum<Row>(rows: readonly Row[], name: (row: Row) => string, value: (row: Row) => number) {
  const sums = new Map<string, number>();
  for (const row of rows) sums.set(name(row), (sums.get(name(row)) ?? 0) + value(row));
  return sums;
}

function longest(rows: readonly Record<string, unknown>[], database: string): number {
  const own = rows.filter((row) => row.database === database);
  return Math.max(...own.map(({ maxwait }) => Number(maxwait)));
}

function usesOf(rows: readonly Record<string, unknown>[]): Map<string, PoolUse> {
  const total = (...columns: string[]) =>
    sum(
      rows,
      (row) => String(row.database),
      (row) => columns.reduce((count, column) => count + Number(row[column]), 0),
    );
  const clients = total("cl_active", "cl_waiting");
  const waiting = total("cl_waiting");
  const busy = total("sv_active", "sv_login");
  const get = (counts: Map<string, number>, database: string) => counts.get(database) ?? 0;
  return new Map(
    [...clients.keys()].map((database) => [
      database,
      {
        clients: get(clients, database),
        waiting: get(waiting, database),
        busy: get(busy, database),
        waitedSeconds: longest(rows, database),
      },
    ]),
  );
}

// Not KILL: it frees pools that clients which log in at that moment point to, and PgBouncer 1.24
// crashes with all of its databases: github.com/pgbouncer/pgbouncer/issues/1401
async function endClients(console: Session, database: string, user?: string): Promise<void> {
  const all = await console.query<Record<string, unknown>>("SHOW CLIENTS");
  const own = all.filter((one) => one.database === database);
  for (const client of own.filter((one) => user === undefined || one.user === user)) {
    await console.query(`KILL_CLIENT ${client.id}`).catch((error: Error) => {
      if (!error.message.includes("client not found")) throw error;
    });
  }
}

async function command(console: Session, text: string): Promise<void> {
  await console.query(text);
}

/** `pausing` is a session of its own with a `query_timeout` of `pauseMilliseconds`. */
export function createPoolerState(console: Session, pausing: Session): PoolerState {
  type Row = Record<string, unknown>;
  let looking: Promise<ReadonlyMap<string, PoolerFacts>> | undefined;

  async function look(): Promise<ReadonlyMap<string, PoolerFacts>> {
    const rows = await console.query<Row>("SHOW DATABASES");
    return new Map(
      rows.map((row) => [
        String(row.name),
        {
          isPaused: Number(row.paused) === 1,
          isDisabled: Number(row.disabled) === 1,
          clients: Number(row.current_client_connections),
        },
      ]),
    );
  }

  return {
    facts() {
      looking ??= look().finally(() => {
        looking = undefined;
      });
      return looking;
    },
    use: async () => usesOf(await console.query<Row>("SHOW POOLS")),
    async counts() {
      const rows = await console.query<Row>("SHOW STATS_TOTALS");
      const count = (row: Row) => Number(row.query_count) + Number(row.xact_count);
      return sum(rows, (row) => String(row.database), count);
    },
    pause: (database) => command(pausing, `PAUSE ${database}`),
    resume: (database) => resume(console, database),
    disable: (database) => command(console, `DISABLE ${database}`),
    enable: (database) => command(console, `ENABLE ${database}`),
    endClients: (database, user) => endClients(console, database, user),
  };
}
