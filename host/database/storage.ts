// Keeps how much each instance takes on disk. One that wrote since is measured again, the sooner
// the nearer it is to its limit; one that does not run is measured once.
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { readIfExists, writeAtomically } from "../file.ts";
import type { InstanceState } from "../instance/roster.ts";
import { log, messageOf } from "../log.ts";
import type { DatabaseMeans } from "./means.ts";
import { lastWritten, type Measured, measureInstance } from "./measure.ts";
import type { DatabaseRecord } from "./record.ts";

const roundMilliseconds = 5000;
const seldomSeconds = 60;
const oftenSeconds = 10;
/** From this share of its limit on a database is measured often. */
const nearShare = 0.8;
const writeSeconds = 60;

const Kept = z.object({
  dataBytes: z.int().min(0),
  walBytes: z.int().min(0),
  measuredAt: z.iso.datetime(),
  /** Whether its Postgres ran then. */
  isRunning: z.boolean(),
  /** When it had written last, by then. */
  written: z.string(),
});
type Kept = z.infer<typeof Kept>;

/** What instances take. */
export interface Storage {
  /** As measured last; undefined before it was. */
  of(instance: string): (Measured & { readonly measuredAt: string }) | undefined;
  /** Measures the instance of a database now. */
  measure(database: string): Promise<Measured>;
  /** Measures those that are due. */
  look(): Promise<void>;
  close(): Promise<void>;
}

/** What is done about it. */
export interface StorageOptions {
  /** Milliseconds of the clock. */
  readonly now: () => number;
  /** Told of what a database takes. */
  readonly onMeasured: (database: string, measured: Measured) => void;
}

/** Reads what was measured before; what cannot be read is measured anew. */
function readKept(file: string): Map<string, Kept> {
  const form = z.record(z.string(), Kept);
  const text = readIfExists(file);
  if (text === undefined) return new Map();
  try {
    return new Map(Object.entries(form.parse(JSON.parse(text))));
  } catch (error) {
    log("warn", `${file} cannot be read, and is made anew: ${messageOf(error)}`);
    return new Map();
  }
}

/** True when so much was taken that the limit may be near. */
function isNear({ spec }: DatabaseRecord, { dataBytes, walBytes }: Measured): boolean {
  return spec.is_full || dataBytes + walBytes > spec.storage_bytes_max * nearShare;
}

/** What was measured, in a file that is written seldom: it can be measured anew. */
function openKept(file: string, now: () => number) {
  const kept = readKept(file);
  let [isChanged, writtenAt] = [false, now()];
  function write(): void {
    if (!isChanged) return;
    writeAtomically(file, JSON.stringify(Object.fromEntries(kept)));
    [isChanged, writtenAt] = [false, now()];
  }
  return {
    get: (name: string) => kept.get(name),
    put(name: string, one: Kept): void {
      kept.set(name, one);
      isChanged = true;
    },
    keepOnly(names: ReadonlySet<string>): void {
      for (const name of kept.keys()) if (!names.has(name)) kept.delete(name);
    },
    writeIfDue(): void {
      if (now() - writtenAt >= writeSeconds * 1000) write();
    },
    write,
  };
}

/** Measures instances, and says which are due. */
function createMeasuring(
  { keeper, files }: DatabaseMeans,
  { now, onMeasured }: StorageOptions,
  kept: ReturnType<typeof openKept>,
) {
  /** When somebody looked in vain whether there is more than what was measured. */
  const lookedAt = new WeakMap<Kept, number>();

  /** The database an instance serves. */
  function recordOf({ record: { database, name } }: InstanceState): DatabaseRecord | undefined {
    const isServing = files.databases.has(database) && keeper.nameAt(database) === name;
    return isServing ? files.databases.get(database) : undefined;
  }

  function isDue(state: InstanceState): boolean {
    const { name } = state.record;
    const last = kept.get(name);
    const isRunning = state.server !== undefined;
    if (last === undefined || (!isRunning && last.isRunning)) return true;
    const before = Math.max(Date.parse(last.measuredAt), lookedAt.get(last) ?? 0);
    const seconds = (now() - before) / 1000;
    if (!isRunning || seconds < oftenSeconds) return false;
    const record = recordOf(state);
    const isOften = record !== undefined && isNear(record, last);
    if (!isOften && seconds < seldomSeconds) return false;
    lookedAt.set(last, now());
    return String(lastWritten(keeper.roster.box(name))) !== last.written;
  }

  async function measure(state: InstanceState): Promise<Measured> {
    const { name } = state.record;
    const box = keeper.roster.box(name);
    const written = String(lastWritten(box));
    const measured = await measureInstance(box);
    const measuredAt = new Date(now()).toISOString();
    kept.put(name, { ...measured, measuredAt, isRunning: state.server !== undefined, written });
    const record = recordOf(state);
    if (record !== undefined) onMeasured(record.database, measured);
    return measured;
  }

  return { isDue, measure };
}

/** Opens what was measured; nothing is measured until it is asked. */
export function openStorage(means: DatabaseMeans, options: StorageOptions): Storage {
  const { fleet, keeper } = means;
  const kept = openKept(join(fleet.directory, "storage.json"), options.now);
  const { isDue, measure } = createMeasuring(means, options, kept);
  let round: Promise<void> = Promise.resolve();

  async function look(): Promise<void> {
    const all = keeper.roster.all();
    kept.keepOnly(new Set(all.map(({ record }) => record.name)));
    for (const { record } of all) {
      // It may be gone by now, or have been started.
      if (!keeper.roster.has(record.name)) continue;
      const state = keeper.roster.get(record.name);
      try {
        if (isDue(state)) await measure(state);
      } catch (error) {
        log("warn", `${record.name} is measured another time: ${messageOf(error)}`);
      }
    }
    kept.writeIfDue();
  }

  return {
    of: kept.get,
    measure: (database) => measure(keeper.live(database)),
    look() {
      round = round.then(look);
      return round;
    },
    async close() {
      await round;
      kept.write();
    },
  };
}

/** Looks again and again until it is closed. */
export function watchStorage(means: DatabaseMeans, options: StorageOptions): Storage {
  const storage = openStorage(means, options);
  const ending = new AbortController();
  const { signal } = ending;
  const watching = (async () => {
    while (!signal.aborted) {
      await storage.look();
      await delay(roundMilliseconds, undefined, { signal, ref: false }).catch(() => undefined);
    }
  })();
  return {
    ...storage,
    async close() {
      ending.abort();
      await watching;
      await storage.close();
    },
  };
}
