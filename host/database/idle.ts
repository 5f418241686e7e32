// Puts databases to sleep that nobody uses: for as long as it was asked of each, no statement came
// through the transaction port and the session port had no client.
import { log, messageOf } from "../base/log.ts";
import type { LineUse } from "../pooler/pair.ts";
import type { DatabaseRecord } from "./record.ts";

/** What is needed to find them. */
export interface IdleOptions {
  readonly all: () => readonly DatabaseRecord[];
  readonly use: () => Promise<ReadonlyMap<string, LineUse>>;
  readonly isAwake: (database: string) => boolean;
  /** False when somebody uses it after all. */
  readonly sleep: (database: string) => Promise<boolean>;
  /** Milliseconds that only go forward. */
  readonly clock: () => number;
}

/** When a database was last seen in use, and how much it had answered by then. */
interface Seen {
  readonly at: number;
  readonly answered: number;
}

const unused: LineUse = { busy: 0, answered: 0 };

/** Makes the look, which remembers what it saw. @returns the names of those it put to sleep */
export function createIdleLook(options: IdleOptions): () => Promise<readonly string[]> {
  const { all, use, isAwake, sleep, clock } = options;
  const seen = new Map<string, Seen>();

  /** True for one that has been idle for long enough. */
  function isIdle({ database, spec }: DatabaseRecord, now: LineUse): boolean {
    const before = seen.get(database);
    if (before === undefined || before.answered !== now.answered || now.busy > 0) {
      seen.set(database, { at: clock(), answered: now.answered });
      return false;
    }
    return clock() - before.at >= spec.suspend_after_seconds * 1000;
  }

  return async () => {
    const candidates = all().filter(
      ({ database, spec }) => spec.suspend_after_seconds > 0 && isAwake(database),
    );
    const names = new Set(candidates.map(({ database }) => database));
    for (const database of seen.keys()) if (!names.has(database)) seen.delete(database);
    if (candidates.length === 0) return [];
    const uses = await use();
    const idle = candidates
      .filter((record) => isIdle(record, uses.get(record.database) ?? unused))
      .map(({ database }) => database);
    const asleep: string[] = [];
    for (const database of idle) {
      // Who was used after all is looked at anew.
      seen.delete(database);
      const isAsleep = await sleep(database).catch((error) => {
        log("warn", `${database} is not put to sleep: ${messageOf(error)}`);
        return false;
      });
      if (isAsleep) asleep.push(database);
    }
    return asleep;
  };
}
