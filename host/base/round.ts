/** Lets what would keep the event loop from others go on in pieces, each in a turn of its own. */
export interface Rounds {
  /** Calls back in a turn of the loop in which nobody else of these is called. */
  enter(go: () => void): void;
  /** Resolves in such a turn. */
  turn(): Promise<void>;
}

// Several of them together may keep the loop half of the time; then the next one waits so long.
const shareMax = 0.5;
const pauseMilliseconds = 5;

/** Makes rounds; who waits longest is next. */
export function createRounds(): Rounds {
  const waiting: (() => void)[] = [];
  let isScheduled = false;
  let before = performance.eventLoopUtilization();

  function isBusy(): boolean {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    return utilization > shareMax;
  }

  function schedule(): void {
    if (isScheduled || waiting.length === 0) return;
    isScheduled = true;
    const next = () => {
      isScheduled = false;
      waiting.shift()?.();
      schedule();
    };
    if (waiting.length > 1 && isBusy()) setTimeout(next, pauseMilliseconds);
    else setImmediate(next);
  }

  const enter = (go: () => void) => {
    waiting.push(go);
    schedule();
  };
  return { enter, turn: () => new Promise((resolve) => enter(resolve)) };
}
