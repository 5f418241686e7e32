// Time and randomness that tests set.

/** A clock that stands still until it is told to move. */
export function createClock(start = new Date("2026-01-01T00:00:00.000Z")) {
  let milliseconds = start.getTime();
  return {
    now: () => new Date(milliseconds),
    /** Moves on by `seconds`. */
    advance: (seconds: number) => {
      milliseconds += seconds * 1000;
    },
    /** Moves on to a moment; a moment that has passed changes nothing. */
    advanceTo: (moment: Date) => {
      milliseconds = Math.max(milliseconds, moment.getTime());
    },
  };
}

/** Random bytes that are the same for the same seed (mulberry32). */
export function createRandom(seed: number): (bytes: number) => Uint8Array {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 24;
  };
  return (bytes) => Uint8Array.from({ length: bytes }, next);
}

/** Choices that are the same for the same seed; `below` is at most 65,536. */
export function createChoice(seed: number) {
  const bytes = createRandom(seed);
  const number = (below: number) => {
    const [high = 0, low = 0] = bytes(2);
    return (high * 256 + low) % below;
  };
  const chance = (percent: number) => number(100) < percent;
  const side = () => (chance(50) ? ("before" as const) : ("after" as const));
  const pick = <Item>(items: readonly Item[]) => items[number(items.length)];
  return { number, chance, side, pick };
}
