// Stop, start, suspend and wake single databases. What is wanted is on disk before anything is
// done, and is done again whenever a server came back without it.
//
//   stopped    poolers: DISABLE, which refuses with words; Postgres: no connections allowed
//   suspended  poolers: PAUSE, which lets clients wait; Postgres stays open, so that a client that
//              meets a pooler just restarted is served rather than refused
import type { Backends } from "./backend.ts";
import type { DatabaseFile } from "./database-file.ts";
import type { Journal } from "./journal.ts";
import { createLanes } from "./lane.ts";
import { log, messageOf } from "./log.ts";
import type { PoolerState } from "./pooler-state.ts";
import { HostProblem } from "./problem.ts";

export interface LifecycleOptions {
  readonly file: Pick<DatabaseFile, "all" | "change">;
  readonly journal: Journal;
  readonly poolers: { readonly transaction: PoolerState; readonly session: PoolerState };
  readonly backends: Backends;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Changes of the state of databases; those of one database happen one at a time. */
export interface Lifecycle {
  /** @throws HostProblem 404 when there is no such database. */
  stop(database: string): Promise<void>;
  /** @throws HostProblem 404 when there is no such database. */
  start(database: string): Promise<void>;
  /** False when somebody used it after all; then it runs on as if nothing had been tried. */
  suspend(database: string): Promise<boolean>;
  /** Lets waiting clients through; nothing unless it is suspended. */
  wake(database: string): Promise<void>;
  /** Looks whether servers do what is wanted and makes them. */
  assert(database: string): Promise<void>;
  /** Does something to a database while nothing here does. */
  exclusively(database: string, work: () => Promise<void>): Promise<void>;
  /** True for one that is stopped or suspended. */
  isHeld(database: string): boolean;
}

// What the poolers and Postgres are told; it keeps no state.
function createGate({ backends, poolers }: Pick<LifecycleOptions, "backends" | "poolers">) {
  const { transaction, session } = poolers;
  const both = [transaction, session];

  async function refuseClients(database: string): Promise<void> {
    await Promise.all(both.map((pooler) => emptyPools(pooler, database)));
    await backends.allow(database, false);
    await backends.end(database);
  }

  /**
   * Paused, too: who logs in at this moment waits, and is ended, instead of trying Postgres, for a
   * failed login is remembered and told to the first client after the next start. (The first client
   * of a pool is let through a PAUSE; the probe after a start outlasts what that leaves behind.)
   */
  async function emptyPools(pooler: PoolerState, database: string): Promise<void> {
    await pooler.disable(database);
    const paused = pooler.pause(database).catch(() => pooler.pause(database));
    await Promise.all([paused, pooler.endClients(database)]);
    await pooler.endClients(database);
  }

  async function letClientsIn(database: string): Promise<void> {
    await Promise.all(both.map((pooler) => pooler.enable(database)));
    await Promise.all(both.map((pooler) => pooler.resume(database)));
  }

  /** Whether a client is served or waits. An idle one of the transaction port does neither. */
  async function isUsed(database: string): Promise<boolean> {
    const [pooled, direct] = await Promise.all([transaction.use(), session.use()]);
    const { waiting = 0, busy = 0 } = pooled.get(database) ?? {};
    return waiting + busy + (direct.get(database)?.clients ?? 0) > 0;
  }

  /** True when no backend is left and clients wait from now on. */
  async function holdClients(database: string): Promise<boolean> {
    if (await isUsed(database)) return false;
    await session.pause(database);
    await transaction.pause(database);
    if (await isUsed(database)) return false;
    return (await backends.endIdle(database)) === 0 && !(await isUsed(database));
  }

  return { refuseClients, letClientsIn, holdClients };
}

// The changes themselves, for callers that hold the database's lane.
function createChanges(options: LifecycleOptions, gate: ReturnType<typeof createGate>) {
  const { file, journal, backends, now } = options;
  const { refuseClients, holdClients } = gate;
  const both = [options.poolers.transaction, options.poolers.session];
  const stateOf = (database: string) => file.all.get(database)?.state;

  /** A suspension that came into force ends in the journal, however it ends. */
  function recordWoken(database: string): void {
    if (journal.lastOf(database) === "suspended") journal.record(database, "woken", now());
  }

  async function wake(database: string): Promise<void> {
    await Promise.all(both.map((pooler) => pooler.resume(database)));
    recordWoken(database);
    await file.change(database, { state: "running" });
  }

  async function suspend(database: string): Promise<boolean> {
    if (stateOf(database) === "stopped" || stateOf(database) === "suspended") return false;
    await file.change(database, { state: "suspended" });
    const isHeld = await holdClients(database).catch((error) => {
      log("warn", `${database} is not suspended: ${messageOf(error)}`);
      return false;
    });
    if (isHeld) journal.record(database, "suspended", now());
    else await wake(database);
    return isHeld;
  }

  async function assertSuspended(database: string): Promise<void> {
    for (const pooler of both) {
      if ((await pooler.facts()).get(database)?.isPaused) continue;
      // A pooler that came back without its PAUSE may have served somebody meanwhile.
      const isServed = ((await pooler.counts()).get(database) ?? 0) > 0;
      if (isServed || !(await holdClients(database))) return wake(database);
    }
    if (journal.lastOf(database) !== "suspended") journal.record(database, "suspended", now());
  }

  async function assertStopped(database: string): Promise<void> {
    const facts = await Promise.all(both.map((pooler) => pooler.facts()));
    // A client that was logging in when all others were ended would wait for its time-out.
    const isRefused = facts.every((one) => {
      const { isDisabled = false, clients = 0 } = one.get(database) ?? {};
      return isDisabled && clients === 0;
    });
    if (isRefused && !(await backends.isAllowed(database))) return;
    await refuseClients(database);
  }

  return { stateOf, recordWoken, wake, suspend, assertSuspended, assertStopped };
}

/** Makes the lifecycle of all databases of a cluster. */
export function createLifecycle(options: LifecycleOptions): Lifecycle {
  const { file, backends } = options;
  const gate = createGate(options);
  const { refuseClients, letClientsIn } = gate;
  const { stateOf, recordWoken, wake, suspend, assertSuspended, assertStopped } = createChanges(
    options,
    gate,
  );
  const inLane = createLanes();

  async function mustExist(database: string): Promise<void> {
    if (await backends.exists(database)) return;
    throw new HostProblem(404, "unknown_database", `There is no database ${database} here.`);
  }

  return {
    stop: (database) =>
      inLane(database, async () => {
        await mustExist(database);
        if (stateOf(database) === "suspended") recordWoken(database);
        await file.change(database, { state: "stopped" });
        await refuseClients(database);
      }),
    start: (database) =>
      inLane(database, async () => {
        await mustExist(database);
        await backends.allow(database, true);
        await letClientsIn(database);
        if (stateOf(database) === "suspended") return wake(database);
        await file.change(database, { state: "running" });
      }),
    exclusively: inLane,
    isHeld: (database) => ["stopped", "suspended"].includes(stateOf(database) ?? "running"),
    suspend: (database) => inLane(database, () => suspend(database)),
    wake: (database) =>
      inLane(database, async () => {
        if (stateOf(database) === "suspended") await wake(database);
      }),
    assert: (database) =>
      inLane(database, async () => {
        const state = stateOf(database);
        if (state === "stopped") await assertStopped(database);
        if (state === "suspended") await assertSuspended(database);
      }),
  };
}
