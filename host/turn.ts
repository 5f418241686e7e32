/** Does what it is given: at most so many at a time, the others in the order they came. */
export type Turns = (work: () => Promise<void>) => Promise<void>;

/** Makes turns for `max` at a time. */
export function createTurns(max: number): Turns {
  const queue: (() => void)[] = [];
  let working = 0;
  return async (work) => {
    if (working >= max) await new Promise<void>((resolve) => queue.push(resolve));
    working++;
    try {
      await work();
    } finally {
      working--;
      queue.shift()?.();
    }
  };
}
