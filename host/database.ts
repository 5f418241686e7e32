// All that is done about single databases of one cluster, put together.
import { createBackends } from "./backend.ts";
import { type Cluster, reloadPoolers } from "./cluster.ts";
import { layout } from "./config.ts";
import { type DatabaseFile, openDatabaseFile } from "./database-file.ts";
import { type Journal, openJournal } from "./journal.ts";
import { createLifecycle, type Lifecycle } from "./lifecycle.ts";
import { createMemoryLimits } from "./memory.ts";
import { consoleSession } from "./pgbouncer.ts";
import type { PoolMode } from "./pgbouncer-config.ts";
import { createPoolerState, pauseMilliseconds } from "./pooler-state.ts";
import { controlSession } from "./postgres.ts";
import { createWatch, repeat, watchDatabases } from "./watch.ts";

const memoryMilliseconds = 100;

/** What commands do to single databases, and what has to go on meanwhile. */
export interface Databases {
  readonly file: DatabaseFile;
  readonly journal: Journal;
  readonly lifecycle: Lifecycle;
  /** Has backends that live take over a changed memory limit. */
  readonly renewMemory: () => void;
  /** Wakes, suspends and limits until the signal aborts. */
  keep(signal: AbortSignal): Promise<void>;
}

/** Opens what is kept on disk; `keep` starts the rest. */
export function openDatabases(cluster: Cluster): Databases {
  const { config, secrets, consoles, programs } = cluster;
  const poolerOf = (mode: PoolMode) =>
    createPoolerState(consoles[mode], consoleSession(config, secrets, mode, pauseMilliseconds));
  const poolers = { transaction: poolerOf("transaction"), session: poolerOf("session") };
  const file = openDatabaseFile(config, () => reloadPoolers(cluster));
  const journal = openJournal(layout(config.directory).transitions);
  // A session of their own: ending backends may take seconds, and health is asked meanwhile.
  const backends = createBackends(controlSession(config, secrets, "postgres"));
  const lifecycle = createLifecycle({ file, journal, poolers, backends, now: Date.now });
  const watch = createWatch({
    file,
    lifecycle,
    poolers,
    poolerPids: () => `${programs.transaction.find()} ${programs.session.find()}`,
    clock: () => performance.now(),
  });
  const memory = createMemoryLimits({
    file,
    backends: createBackends(cluster.control),
    postmaster: programs.postgres.find,
  });
  return {
    file,
    journal,
    lifecycle,
    renewMemory: memory.renew,
    async keep(signal) {
      await Promise.all([
        watchDatabases(watch, signal),
        repeat("limit memory", memoryMilliseconds, memory.look, signal),
      ]);
    },
  };
}
