/** Where a request's milliseconds went, for its `Server-Timing` header. */
export interface Timing {
  /** Ends the part that is running and names it. */
  readonly lap: (name: string) => void;
  /** The header's value, or null when nothing was named. */
  readonly header: () => string | null;
}

/** Starts to measure; a Worker's clock moves with its I/O, which is what there is to measure. */
export function startTiming(now: () => Date): Timing {
  const laps: string[] = [];
  let since = now().getTime();
  return {
    lap: (name) => {
      const at = now().getTime();
      laps.push(`${name};dur=${at - since}`);
      since = at;
    },
    header: () => (laps.length === 0 ? null : laps.join(", ")),
  };
}
