// What a database did, span by span: minutes for some hours, then longer spans. A span in which
// nothing happened is not kept, and filled in when read.
import { z } from "zod";
import type { MetricPoint } from "../../src/contract/metric.ts";

/** Counts of a span, and what is at its end. */
export type Sample = Omit<MetricPoint, "at" | "seconds">;

/** What is summed up, and what is as it was last. */
export const counted = [
  "transactions",
  "rollbacks",
  "errors",
  "slow_statements",
  "blocks_hit",
  "blocks_read",
  "deadlocks",
  "temporary_bytes",
] as const;
export const lasting = [
  "size_bytes",
  "client_connections",
  "waiting_clients",
  "server_connections",
] as const;
const fields = [...counted, ...lasting];

/** A span and what happened in it; milliseconds since 1970, whole minutes. */
export interface Span {
  readonly begin: number;
  readonly seconds: number;
  readonly sample: Sample;
}

const hour = 3600;
/** Up to which age (seconds) spans of which length (seconds) are kept, and given out. */
const levels = [
  { seconds: 60, age: 5 * hour },
  { seconds: 300, age: 25 * hour },
  { seconds: hour, age: 7 * 24 * hour },
] as const;

/** Nothing happened, nothing is there. */
export const nothing: Sample = {
  transactions: 0,
  rollbacks: 0,
  errors: 0,
  slow_statements: 0,
  blocks_hit: 0,
  blocks_read: 0,
  deadlocks: 0,
  temporary_bytes: 0,
  size_bytes: 0,
  client_connections: 0,
  waiting_clients: 0,
  server_connections: 0,
};

/** What happened in one span and then in another. */
export function join(before: Sample, after: Sample): Sample {
  const sums = counted.map((name) => [name, before[name] + after[name]]);
  return { ...after, ...Object.fromEntries(sums) };
}

const Line = z.array(z.number().min(0)).length(2 + fields.length);

/** A span as a line of a file. */
export function renderSpan({ begin, seconds, sample }: Span): string {
  return `${JSON.stringify([begin / 60_000, seconds, ...fields.map((name) => sample[name])])}\n`;
}

/** The spans of a file; a line that was torn by a crash is left out. */
export function parseSpans(text: string): Span[] {
  return text.split("\n").flatMap((line) => {
    try {
      const [minute = 0, seconds = 60, ...values] = Line.parse(JSON.parse(line));
      const sample = Object.fromEntries(fields.map((name, index) => [name, values[index]]));
      return [{ begin: minute * 60_000, seconds, sample: { ...nothing, ...sample } }];
    } catch {
      return [];
    }
  });
}

function merge(spans: readonly Span[], secondsOf: (span: Span) => number): Span[] {
  const merged: Span[] = [];
  for (const span of spans) {
    const seconds = Math.max(span.seconds, secondsOf(span));
    const begin = Math.floor(span.begin / (seconds * 1000)) * seconds * 1000;
    const last = merged.at(-1);
    if (last?.begin === begin && last.seconds === seconds) {
      merged[merged.length - 1] = { ...last, sample: join(last.sample, span.sample) };
    } else merged.push({ begin, seconds, sample: span.sample });
  }
  return merged;
}

/** Spans, the oldest first, as few as their age allows; those that are too old are left out. */
export function compactSpans(spans: readonly Span[], now: number): Span[] {
  const levelOf = ({ begin }: Span) => levels.find(({ age }) => now - begin <= age * 1000);
  const kept = spans.filter((span) => levelOf(span) !== undefined);
  return merge(kept, (span) => levelOf(span)?.seconds ?? hour);
}

/** The points of the last `windowSeconds`, without holes: nothing is counted where nothing was. */
export function pointsOf(
  spans: readonly Span[],
  windowSeconds: number,
  now: number,
): MetricPoint[] {
  const seconds = levels.find(({ age }) => windowSeconds <= age)?.seconds ?? hour;
  const step = seconds * 1000;
  const from = Math.floor((now - windowSeconds * 1000) / step) * step;
  const found = new Map(merge(spans, () => seconds).map(({ begin, sample }) => [begin, sample]));
  let known = spans.findLast(({ begin }) => begin < from)?.sample ?? nothing;
  const points: MetricPoint[] = [];
  for (let begin = from; begin < now; begin += step) {
    const end = Math.min(begin + step, now);
    const sample = found.get(begin) ?? { ...known, ...noCounts };
    known = sample;
    const lasts = Math.max(1, Math.round((end - begin) / 1000));
    points.push({ at: new Date(end).toISOString(), seconds: lasts, ...sample });
  }
  return points;
}

const noCounts = Object.fromEntries(counted.map((name) => [name, 0]));
