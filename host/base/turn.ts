/** Does what it is given: at most so many at a time, the others in the order they came. */
export type Turns = (work: () => Promise<void>) => Promise<void>;

/** Makes turns for `max` at a time. */
export function createTurns(max: number): Turns {
  const queue = createQueue(max, max);
  return async (work) => {
    const leave = await queue.enter("");
    try {
      await work();
    } finally {
      leave();
    }
  };
}

/** Who waits for a place, and how to tell them that they have it. */
interface Waiting {
  readonly name: string;
  readonly go: () => void;
}

/** Places for `max` at a time, `perName` of one name; the others in the order they came. */
export function createQueue(max: number, perName: number) {
  const taken = new Map<string, number>();
  const waiting: Waiting[] = [];
  let all = 0;

  function admitNext(): void {
    while (all < max) {
      const at = waiting.findIndex(({ name }) => (taken.get(name) ?? 0) < perName);
      const [next] = at < 0 ? [] : waiting.splice(at, 1);
      if (next === undefined) return;
      all++;
      taken.set(next.name, (taken.get(next.name) ?? 0) + 1);
      next.go();
    }
  }

  function leave(name: string): void {
    all--;
    const left = (taken.get(name) ?? 0) - 1;
    if (left > 0) taken.set(name, left);
    else taken.delete(name);
    admitNext();
  }

  return {
    /** Resolves with how to leave once there is a place; rejects with the signal's reason. */
    enter(name: string, signal?: AbortSignal): Promise<() => void> {
      return new Promise((resolve, reject) => {
        const giveUp = () => {
          waiting.splice(waiting.indexOf(entry), 1);
          reject(signal?.reason);
        };
        const go = () => {
          signal?.removeEventListener("abort", giveUp);
          resolve(() => leave(name));
        };
        const entry = { name, go };
        if (signal?.aborted) return reject(signal.reason);
        signal?.addEventListener("abort", giveUp, { once: true });
        waiting.push(entry);
        admitNext();
      });
    },
  };
}
