// What each instance had counted when it was last asked, kept so that a host program that is
// started anew loses nothing of what was done meanwhile. Not flushed: it may go with the machine.
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { readIfExists } from "../base/file.ts";
import type { Counters } from "./counters.ts";

const Kept = z.object({
  instance: z.string(),
  counters: z.object({
    transactions: z.number(),
    rollbacks: z.number(),
    blocks_hit: z.number(),
    blocks_read: z.number(),
    deadlocks: z.number(),
    temporary_bytes: z.number(),
  }),
});
type Kept = z.infer<typeof Kept>;

/** The counters of each database's instance. */
export interface KeptCounters {
  /** Undefined when nobody has asked this instance yet. */
  get(database: string, instance: string): Counters | undefined;
  set(database: string, instance: string, counters: Counters): void;
  remove(database: string): void;
}

/** Opens what is kept in a directory, a file for each database. */
export function openKeptCounters(directory: string): KeptCounters {
  const known = new Map<string, Kept | undefined>();
  const fileOf = (database: string) => join(directory, `${database}.last`);

  function read(database: string): Kept | undefined {
    try {
      return Kept.parse(JSON.parse(readIfExists(fileOf(database)) ?? ""));
    } catch {
      // None, or one that was torn by a crash: the instance is asked as if for the first time.
      return undefined;
    }
  }

  return {
    get(database, instance) {
      if (!known.has(database)) known.set(database, read(database));
      const kept = known.get(database);
      return kept?.instance === instance ? kept.counters : undefined;
    },
    set(database, instance, counters) {
      const kept = { instance, counters };
      known.set(database, kept);
      writeFileSync(fileOf(database), JSON.stringify(kept), { mode: 0o600 });
    },
    remove(database) {
      known.delete(database);
      rmSync(fileOf(database), { force: true });
    },
  };
}
