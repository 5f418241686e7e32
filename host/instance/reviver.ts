// Starts again what ended by itself: at once the first time, later and later what ends again and
// again, so that one which fails for ever costs little. A few at a time, so that a client which
// comes meanwhile finds a place to have its own started.
import { log, messageOf } from "../base/log.ts";
import { createTurns } from "../base/turn.ts";
import type { InstanceCondition } from "./roster.ts";

const startsAtOnce = 2;
const firstPauseMilliseconds = 1000;
const pauseMillisecondsMax = 300_000;
/** Who has run for so long has recovered. */
const recoveredMilliseconds = 600_000;

/** What it works with. */
export interface ReviverOptions {
  /** Starts an instance; false when there is nothing to be done about it. */
  readonly revive: (name: string) => Promise<boolean>;
  /** Hears that one that had ended runs again. */
  readonly onRevived: (name: string) => void;
  /** Hears that one does not start, and why; not once more when it goes on so. */
  readonly onFailure: (name: string, reason: string) => void;
  /** Milliseconds that only go forward. */
  readonly clock: () => number;
  readonly signal: AbortSignal;
}

/** What is known of one that ended. */
interface Trouble {
  /** How often in a row. */
  times: number;
  isAtWork: boolean;
  /** When it was last tried. */
  at: number;
  failure: string | undefined;
}

/** True for one that is to run, and has ended. */
function isToRun({ record, condition }: InstanceCondition): boolean {
  return record.wanted === "running" && condition === "gone";
}

function pauseOf({ times }: Trouble): number {
  if (times === 0) return 0;
  return Math.min(firstPauseMilliseconds * 2 ** (times - 1), pauseMillisecondsMax);
}

/** Makes it. */
export function createReviver(options: ReviverOptions) {
  const { revive, onRevived, onFailure, clock, signal } = options;
  const troubles = new Map<string, Trouble>();
  const inTurn = createTurns(startsAtOnce);

  async function start(name: string, trouble: Trouble, isExpected: boolean): Promise<void> {
    if (signal.aborted) return;
    try {
      if (!(await revive(name))) return;
      trouble.failure = undefined;
      if (isExpected) return;
      onRevived(name);
    } catch (error) {
      const reason = messageOf(error);
      if (trouble.failure === undefined) onFailure(name, reason);
      else log("error", `${name} does not start: ${reason}`);
      trouble.failure = reason;
    }
    trouble.times += 1;
  }

  /** One is to run and does not. */
  function notice(name: string, isExpected: boolean): void {
    const fresh = { times: 0, isAtWork: false, at: clock(), failure: undefined };
    const trouble = troubles.get(name) ?? fresh;
    troubles.set(name, trouble);
    if (trouble.isAtWork || clock() - trouble.at < pauseOf(trouble)) return;
    trouble.isAtWork = true;
    void inTurn(() => start(name, trouble, isExpected)).finally(() => {
      trouble.isAtWork = false;
      trouble.at = clock();
    });
  }

  /** One runs, or is not to. */
  function clear(name: string, trouble: Trouble): void {
    if (trouble.isAtWork) return;
    trouble.failure = undefined;
    if (clock() - trouble.at > recoveredMilliseconds) troubles.delete(name);
  }

  return {
    /** Looks after all. `isExpected`: what does not run was stopped in order. */
    look(conditions: readonly InstanceCondition[], isExpected: boolean): void {
      const byName = new Map(conditions.map((each) => [each.record.name, each]));
      for (const [name, trouble] of troubles) {
        const found = byName.get(name);
        if (found === undefined) troubles.delete(name);
        else if (!isToRun(found)) clear(name, trouble);
      }
      for (const each of conditions) if (isToRun(each)) notice(each.record.name, isExpected);
    },
    /** Why one that is to run does not; undefined when nothing is known against it. */
    failureOf: (name: string) => troubles.get(name)?.failure,
  };
}
