// When a cron trigger is due, in UTC, as Cloudflare reads it: Sunday is 1.

const ranges = [
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [1, 7],
] as const;

function partMatches(part: string, value: number, [low, high]: readonly [number, number]): boolean {
  const parsed = /^(\*|(\d+)(?:-(\d+))?)(?:\/(\d+))?$/.exec(part);
  if (parsed === null) throw new Error(`The cron trigger part ${part} is not understood.`);
  const [, all, from, to, step] = parsed;
  const start = all === "*" ? low : Number(from);
  const end = all === "*" || (to === undefined && step !== undefined) ? high : Number(to ?? from);
  return value >= start && value <= end && (value - start) % Number(step ?? 1) === 0;
}

/** True when the trigger fires in this minute. Five fields of numbers, ranges, steps and lists. */
export function isDue(cron: string, date: Date): boolean {
  const fields = cron.trim().split(/\s+/);
  if (fields.length !== 5) throw new Error(`The cron trigger ${cron} does not have five fields.`);
  const values = [
    date.getUTCMinutes(),
    date.getUTCHours(),
    date.getUTCDate(),
    date.getUTCMonth() + 1,
    date.getUTCDay() + 1,
  ];
  return ranges.every((range, index) =>
    (fields[index] ?? "").split(",").some((part) => partMatches(part, values[index] ?? -1, range)),
  );
}

/** Milliseconds until the next time that divides by so many seconds, never 0. */
export function untilNext(seconds: number, now: number): number {
  return seconds * 1000 - (now % (seconds * 1000));
}
