// A minute of every database is kept once it is over, and only when it differs from nothing.
import type { MetricPoint } from "../../src/contract/metric.ts";
import type { MetricFiles } from "./metric-file.ts";
import { counted, join, lasting, nothing, pointsOf, type Sample } from "./metric-series.ts";

/** Where numbers come from. */
export interface MetricSource {
  /** By database, for all there are: what happened since the last look. */
  next(): Promise<ReadonlyMap<string, Sample>>;
  /** Measures those that did something since they were measured. */
  measure(): Promise<void>;
  sizeOf(database: string): number | undefined;
}

const minuteMilliseconds = 60_000;

/** Metrics of all databases of a cluster. */
export interface Metrics {
  /** One look at everything, several times a minute. */
  look(): Promise<void>;
  /** Points of the last `windowSeconds`, the oldest first; the minute that runs is the last. */
  of(database: string, windowSeconds: number): Promise<MetricPoint[]>;
}

function isWorthKeeping(sample: Sample, kept: Sample | undefined): boolean {
  const isSame = kept !== undefined && lasting.every((name) => kept[name] === sample[name]);
  return !isSame || counted.some((name) => sample[name] > 0);
}

// A database that is renamed for a moment is there again a minute later.
function createForget(files: MetricFiles) {
  let missing: ReadonlySet<string> = new Set();
  return async (there: ReadonlyMap<string, Sample>): Promise<readonly string[]> => {
    const now = (await files.names()).filter((database) => !there.has(database));
    const dropped = now.filter((database) => missing.has(database));
    missing = new Set(now);
    for (const database of dropped) await files.remove(database);
    return dropped;
  };
}

/** Begins to keep what looks find; what was kept before goes on. */
export function createMetrics(
  looking: MetricSource,
  files: MetricFiles,
  now: () => number,
): Metrics {
  /** What happened in the minute that is not over, and what was kept last. */
  const open = new Map<string, Sample>();
  const kept = new Map<string, Sample>();
  const forget = createForget(files);
  const minuteOf = (time: number) => time - (time % minuteMilliseconds);
  let minute = minuteOf(now());

  async function keep(): Promise<void> {
    await looking.measure();
    for (const [database, found] of open) {
      const sample = { ...found, size_bytes: looking.sizeOf(database) ?? found.size_bytes };
      if (isWorthKeeping(sample, kept.get(database))) {
        await files.append(database, { begin: minute, seconds: 60, sample }, now());
        kept.set(database, sample);
      }
      open.delete(database);
    }
  }

  return {
    async look() {
      const found = await looking.next();
      for (const [database, sample] of found) {
        open.set(database, join(open.get(database) ?? nothing, sample));
      }
      if (minuteOf(now()) === minute) return;
      await keep();
      minute = minuteOf(now());
      for (const database of await forget(found)) kept.delete(database);
    },
    async of(database, windowSeconds) {
      const sample = open.get(database);
      const spans = await files.read(database);
      const isOpen = sample !== undefined && spans.at(-1)?.begin !== minute;
      if (isOpen) spans.push({ begin: minute, seconds: 60, sample });
      return pointsOf(spans, windowSeconds, now());
    },
  };
}
