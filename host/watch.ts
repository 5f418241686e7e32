// Looks after databases that are not simply running: wakes those a client waits for, suspends
// those nobody uses, and repeats what a restarted server forgot.
import { setTimeout as delay } from "node:timers/promises";
import type { DatabaseFile, Wanted } from "./database-file.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { log, messageOf } from "./log.ts";
import type { PoolerState, PoolUse } from "./pooler-state.ts";

/** A client of a suspended database waits half of this on average, and the wake itself. */
const wakeMilliseconds = 50;
const idleMilliseconds = 1000;
const assertMilliseconds = 5000;

export interface WatchOptions {
  readonly file: Pick<DatabaseFile, "all" | "change">;
  readonly lifecycle: Lifecycle;
  readonly poolers: { readonly transaction: PoolerState; readonly session: PoolerState };
  /** Differs after a pooler was started anew. */
  readonly poolerPids: () => string;
  /** Milliseconds that only ever go forward. */
  readonly clock: () => number;
}

/** The three looks; each is repeated by `watchDatabases`. */
export interface Watch {
  wakeAwaited(): Promise<void>;
  suspendIdle(): Promise<void>;
  assertAll(): Promise<void>;
}

function isAwaited(pooled: PoolUse | undefined, direct: PoolUse | undefined): boolean {
  const { waiting = 0, busy = 0 } = pooled ?? {};
  return waiting + busy + (direct?.clients ?? 0) > 0;
}

// What both looks share: which databases, and what is remembered from one look to the next.
function createLook(options: WatchOptions) {
  const { file, lifecycle, clock } = options;
  /** When a database was last seen in use, and how many statements it had answered by then. */
  const seen = new Map<string, { readonly at: number; readonly count: number }>();
  let pids = "";

  const having = (test: (wanted: Wanted) => boolean) =>
    [...file.all].filter(([, wanted]) => test(wanted)).map(([database]) => database);

  async function all(databases: readonly string[], act: (database: string) => Promise<unknown>) {
    for (const result of await Promise.allSettled(databases.map(act))) {
      if (result.status === "rejected") throw result.reason;
    }
  }

  async function assertAll(): Promise<void> {
    const now = options.poolerPids();
    await all(
      having(({ state }) => state === "suspended" || state === "stopped"),
      lifecycle.assert,
    );
    pids = now;
  }

  /** True when somebody used the database since the last look, or there was none. */
  function isInUse(database: string, count: number, isBusy: boolean): boolean {
    const before = seen.get(database);
    if (before !== undefined && before.count === count && !isBusy) return false;
    seen.set(database, { at: clock(), count });
    return true;
  }

  return { having, all, assertAll, isInUse, seen, areNew: () => options.poolerPids() !== pids };
}
type Look = ReturnType<typeof createLook>;

async function wakeAwaited({ poolers, lifecycle }: WatchOptions, look: Look): Promise<void> {
  const held = look.having(({ state }) => state === "suspended" || state === "stopped");
  if (held.length === 0) return;
  if (look.areNew()) await look.assertAll();
  const suspended = look.having(({ state }) => state === "suspended");
  if (suspended.length === 0) return;
  const [pooled, direct] = await Promise.all([poolers.transaction.use(), poolers.session.use()]);
  const isWoken = (database: string) => isAwaited(pooled.get(database), direct.get(database));
  await look.all(suspended.filter(isWoken), lifecycle.wake);
}

async function suspendIdle(options: WatchOptions, look: Look): Promise<void> {
  const { file, lifecycle, clock } = options;
  const { transaction, session } = options.poolers;
  const candidates = look.having(
    ({ state = "running", suspend_after_seconds = 0 }) =>
      state === "running" && suspend_after_seconds > 0,
  );
  for (const database of look.seen.keys()) {
    if (!candidates.includes(database)) look.seen.delete(database);
  }
  if (candidates.length === 0) return;
  const [counts, pooled, direct] = await Promise.all([
    transaction.counts(),
    transaction.use(),
    session.use(),
  ]);
  const idle = candidates.filter((database) => {
    const isBusy = isAwaited(pooled.get(database), direct.get(database));
    if (look.isInUse(database, counts.get(database) ?? 0, isBusy)) return false;
    const { suspend_after_seconds = 0 } = file.all.get(database) ?? {};
    const { at = clock() } = look.seen.get(database) ?? {};
    return clock() - at >= suspend_after_seconds * 1000;
  });
  await look.all(idle, async (database) => {
    if (!(await lifecycle.suspend(database))) look.seen.delete(database);
  });
}

/** Makes the looks, with what they remember from one to the next. */
export function createWatch(options: WatchOptions): Watch {
  const look = createLook(options);
  return {
    assertAll: look.assertAll,
    wakeAwaited: () => wakeAwaited(options, look),
    suspendIdle: () => suspendIdle(options, look),
  };
}

/** Repeats a look until the signal aborts; a failure is logged once, until it works again. */
export async function repeat(
  what: string,
  milliseconds: number,
  look: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let isFailing = false;
  while (!signal.aborted) {
    await look().then(
      () => {
        isFailing = false;
      },
      (error) => {
        // A server that is being restarted is told of elsewhere: once is enough here.
        if (!isFailing && !signal.aborted) log("warn", `Cannot ${what}: ${messageOf(error)}`);
        isFailing = true;
      },
    );
    await delay(milliseconds, undefined, { signal }).catch(() => undefined);
  }
}

/** Looks again and again until the signal aborts. */
export async function watchDatabases(watch: Watch, signal: AbortSignal): Promise<void> {
  await Promise.all([
    repeat("wake databases", wakeMilliseconds, watch.wakeAwaited, signal),
    repeat("suspend databases", idleMilliseconds, watch.suspendIdle, signal),
    repeat("keep databases stopped", assertMilliseconds, watch.assertAll, signal),
  ]);
}
