// Limits of single databases: kept in one file, rendered into an include file per pooler. Calls
// that come within a few milliseconds share one write and one RELOAD.
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { DatabaseName, PoolLimits } from "../src/contract/host.ts";
import { type HostConfig, layout } from "./config.ts";
import { readIfExists, writeAtomically } from "./file.ts";
import { type PoolMode, poolerFiles, renderLine } from "./pgbouncer-config.ts";

const Pools = z.object({ transaction: PoolLimits, session: PoolLimits });
/** Limits of one database in both poolers. */
export type Pools = z.infer<typeof Pools>;

const gatherMilliseconds = 3;

/** The limits by database, as kept on disk. */
export function readLimits(config: HostConfig): Map<string, Pools> {
  const kept = readIfExists(join(layout(config.directory).pooler, "databases.json"));
  if (kept === undefined) return new Map();
  return new Map(Object.entries(z.record(DatabaseName, Pools).parse(JSON.parse(kept))));
}

/** The include file of one pooler. */
export function renderLimits(
  config: HostConfig,
  limits: ReadonlyMap<string, Pools>,
  mode: PoolMode,
): string {
  const lines = [...limits].map(([database, pools]) => renderLine(config, database, pools[mode]));
  return `[databases]\n${lines.map((line) => `${line}\n`).join("")}`;
}

function writeLimits(config: HostConfig, limits: ReadonlyMap<string, Pools>): void {
  const file = join(layout(config.directory).pooler, "databases.json");
  writeAtomically(file, JSON.stringify(Object.fromEntries(limits)));
  for (const mode of ["transaction", "session"] as const) {
    writeAtomically(poolerFiles(config, mode).databases, renderLimits(config, limits, mode));
  }
}

function areEqual(a: Pools | undefined, b: Pools | undefined): boolean {
  const facts = (pools: Pools | undefined) =>
    pools && [pools.transaction, pools.session].map((p) => [p.pool_size, p.client_connections_max]);
  return JSON.stringify(facts(a)) === JSON.stringify(facts(b));
}

/** Changes limits. Each call resolves when its change is in force in both poolers. */
export interface PoolerLimits {
  /** `undefined` takes the database's line away. */
  change(database: string, pools: Pools | undefined): Promise<void>;
}

/** `reload` makes both poolers read their files; rejects when one did not. */
export function createPoolerLimits(config: HostConfig, reload: () => Promise<void>): PoolerLimits {
  const limits = readLimits(config);
  let gathering: Promise<void> | undefined;
  let last: Promise<void> = Promise.resolve();
  // After a failed RELOAD the poolers' memory is unknown: the next call reloads in any case.
  let inForce = true;

  async function flush(previous: Promise<void>): Promise<void> {
    await delay(gatherMilliseconds);
    await previous.catch(() => undefined);
    gathering = undefined;
    inForce = false;
    writeLimits(config, limits);
    await reload();
    inForce = true;
  }

  return {
    change(database, pools) {
      const same = areEqual(limits.get(database), pools);
      if (same && inForce && gathering === undefined) return Promise.resolve();
      if (pools === undefined) limits.delete(database);
      else limits.set(database, pools);
      if (gathering === undefined) {
        gathering = flush(last);
        last = gathering;
      }
      return gathering;
    },
  };
}
