// What a database did, minute by minute: fine for the last hours, coarser for the last days, so
// that a week of a thousand databases fits in memory and in files of a few kilobytes.
import { z } from "zod";
import type { MetricPoint } from "../src/contract/host.ts";

/** Counts of a span, and what is at its end. */
export type Sample = Omit<MetricPoint, "at" | "seconds">;

const counted = [
  "transactions",
  "rollbacks",
  "errors",
  "slow_statements",
  "blocks_hit",
  "blocks_read",
  "deadlocks",
  "temporary_bytes",
] as const;
const last = ["size_bytes", "client_connections", "waiting_clients", "server_connections"] as const;

const Bucket = z.object({ at: z.number(), sample: z.record(z.string(), z.number()) });

/** Seconds of a point, and how many are kept: two hours, two days, seven days. */
const levels = [
  { seconds: 60, kept: 121 },
  { seconds: 900, kept: 193 },
  { seconds: 7200, kept: 85 },
] as const;

/** The points of one database at each level, oldest first; `at` is the start of a span. */
export const Series = z.array(z.array(Bucket)).length(levels.length);
export type Series = z.infer<typeof Series>;

/** A series without a point. */
export function emptySeries(): Series {
  return levels.map(() => []);
}

/** Adds what happened in the minute that begins at `at` (milliseconds). */
export function addSample(series: Series, at: number, sample: Sample): void {
  levels.forEach(({ seconds, kept }, index) => {
    const buckets = series[index] ?? [];
    const start = Math.floor(at / (seconds * 1000)) * seconds * 1000;
    const newest = buckets.at(-1);
    if (newest?.at === start) newest.sample = join(newest.sample, sample);
    else buckets.push({ at: start, sample: { ...sample } });
    if (buckets.length > kept) buckets.splice(0, buckets.length - kept);
  });
}

function join(before: Record<string, number>, sample: Sample): Record<string, number> {
  const sums = counted.map((name) => [name, (before[name] ?? 0) + sample[name]]);
  return { ...sample, ...Object.fromEntries(sums) };
}

/** The points of the last `windowSeconds`, without holes: nothing is counted where nothing was. */
export function pointsOf(series: Series, windowSeconds: number, now: number): MetricPoint[] {
  const index = levels.findIndex(({ seconds, kept }) => windowSeconds <= seconds * (kept - 1));
  const level = levels[index] ?? levels[levels.length - 1];
  if (level === undefined) return [];
  const step = level.seconds * 1000;
  const buckets = new Map((series[index] ?? []).map(({ at, sample }) => [at, sample]));
  const begin = Math.floor((now - windowSeconds * 1000) / step) * step;
  const points: MetricPoint[] = [];
  let known = latestBefore(series, begin);
  for (let at = begin; at < now; at += step) {
    const sample = buckets.get(at);
    if (sample !== undefined) known = sample;
    // Nobody has looked in the span that still lasts: that is not nothing.
    else if (at + step > now) break;
    const end = new Date(Math.min(at + step, now)).toISOString();
    points.push({ at: end, seconds: level.seconds, ...filled(sample, known) });
  }
  return points;
}

// What a database had when it was last seen it still has.
function latestBefore(series: Series, begin: number): Record<string, number> | undefined {
  const earlier = series.flat().filter(({ at }) => at < begin);
  return earlier.sort((a, b) => a.at - b.at).at(-1)?.sample;
}

function filled(
  sample: Record<string, number> | undefined,
  known: Record<string, number> | undefined,
): Sample {
  const counts = counted.map((name) => [name, sample?.[name] ?? 0]);
  const lasting = last.map((name) => {
    const isSize = name === "size_bytes";
    return [name, sample?.[name] ?? (isSize ? (known?.[name] ?? 0) : 0)];
  });
  return Object.fromEntries([...counts, ...lasting]) as Sample;
}
