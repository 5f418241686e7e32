// Has work done for the databases that need it: a few at a time, each database's one after another
// and not too often. What fails is tried again, later each time, and holds up nobody else's.
import { StoreRefusal, storeProblem } from "./problem.ts";

const firstRetryMilliseconds = 1000;
const longestRetryMilliseconds = 30_000;

/** How work is done. */
export interface RoundsOptions {
  /** Does what there is to do for one; true when there is more, for which others go first. */
  readonly work: (database: string) => Promise<boolean>;
  readonly atOnce: number;
  /** After a round, until the next one of the same database. */
  readonly restMilliseconds: number;
  /** Called with why when the first one fails, and with null once none does any more. */
  readonly told?: (problem: string | null) => void;
}

/** A database whose work is not done. */
export interface Late {
  readonly database: string;
  /** Unix time, milliseconds. */
  readonly since: number;
  /** Why; null while it was not tried, or goes on. */
  readonly reason: string | null;
}

/** Rounds of one kind of work. */
export interface Rounds {
  /** Says that there is work for one. */
  need(database: string): void;
  /** Forgets one; waits for what is being done for it. */
  leave(database: string): Promise<void>;
  late(): readonly Late[];
  /** Begins nothing any more, and waits for what is being done. */
  close(): Promise<void>;
}

interface Entry {
  /** Since when there is something to do; null for one that only rests. */
  since: number | null;
  /** When the next round may begin. */
  dueAt: number;
  failures: number;
  reason: string | null;
  /** What failed was the way to the store, which is everybody's. */
  isUnreached: boolean;
  /** Since when there is more that came while a round went on. */
  nextSince: number | null;
  running: Promise<void> | undefined;
}

function newEntry(now: number): Entry {
  const good = { failures: 0, reason: null, isUnreached: false };
  return { since: now, dueAt: now, ...good, nextSince: null, running: undefined };
}

function noteFailure(entry: Entry, error: unknown): void {
  const pause = firstRetryMilliseconds * 2 ** entry.failures;
  entry.failures++;
  entry.reason = storeProblem(error);
  entry.isUnreached = !(error instanceof StoreRefusal) || error.status >= 500;
  entry.dueAt = Date.now() + Math.min(pause, longestRetryMilliseconds);
  entry.running = undefined;
}

function noteSuccess(entry: Entry, hasMore: boolean, restMilliseconds: number): void {
  Object.assign(entry, { failures: 0, reason: null, isUnreached: false, running: undefined });
  entry.dueAt = Date.now() + (hasMore ? 0 : restMilliseconds);
  if (!hasMore) entry.since = entry.nextSince;
  entry.nextSince = null;
}

/** Those that may begin now, in the order in which they were due, and when the next one may. */
function due(all: ReadonlyMap<string, Entry>, now: number) {
  const waiting = [...all].filter(([, entry]) => entry.running === undefined);
  const later = waiting.map(([, { dueAt }]) => dueAt).filter((dueAt) => dueAt > now);
  return {
    ready: waiting
      .filter(([, { dueAt }]) => dueAt <= now)
      .toSorted(([, one], [, other]) => one.dueAt - other.dueAt),
    nextAt: Math.min(...later),
  };
}

/** Tells when the first one fails, and when none does any more. */
function createTelling(told: (problem: string | null) => void) {
  let isFailing = false;
  return (problem: string | null): void => {
    if (isFailing === (problem !== null)) return;
    isFailing = problem !== null;
    told(problem);
  };
}

/** Begins what is due, up to so many; looks again when the next one is. */
function createLook(all: Map<string, Entry>, atOnce: number, round: Round) {
  let running = 0;
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;

  function look(): void {
    clearTimeout(timer);
    if (isClosed) return;
    const { ready, nextAt } = due(all, Date.now());
    for (const [database, entry] of ready) {
      if (entry.since === null) all.delete(database);
      else if (running < atOnce) {
        running++;
        entry.running = round(database, entry).then(() => {
          running--;
          look();
        });
      }
    }
    if (!Number.isFinite(nextAt)) return;
    timer = setTimeout(look, Math.max(1, nextAt - Date.now())).unref();
  }

  return {
    look,
    isClosed: () => isClosed,
    close: () => {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}

type Round = (database: string, entry: Entry) => Promise<void>;

/** Begins nothing yet. */
export function createRounds(options: RoundsOptions): Rounds {
  const { work, atOnce, restMilliseconds, told = () => undefined } = options;
  const all = new Map<string, Entry>();
  const tell = createTelling((problem) => {
    if (!isClosed()) told(problem);
  });

  async function round(database: string, entry: Entry): Promise<void> {
    try {
      noteSuccess(entry, await work(database), restMilliseconds);
      // Of those that are due at once the others go first.
      if (all.get(database) === entry && all.delete(database)) all.set(database, entry);
      // The store is reached again: nobody waits for that any longer.
      for (const one of all.values()) if (one.isUnreached) one.dueAt = 0;
      if (![...all.values()].some(({ failures }) => failures > 0)) tell(null);
    } catch (error) {
      noteFailure(entry, error);
      tell(entry.reason);
    }
  }

  const { look, isClosed, close } = createLook(all, atOnce, round);
  return {
    need(database) {
      const now = Date.now();
      const entry = all.get(database);
      if (entry?.running !== undefined) entry.nextSince ??= now;
      else if (entry !== undefined) entry.since ??= now;
      else {
        all.set(database, newEntry(now));
        look();
      }
    },
    async leave(database) {
      const entry = all.get(database);
      all.delete(database);
      await entry?.running;
    },
    late: () =>
      [...all].flatMap(([database, { since, reason }]) =>
        since === null ? [] : [{ database, since, reason }],
      ),
    async close() {
      close();
      await Promise.all([...all.values()].map((entry) => entry.running));
    },
  };
}
