// All that is done about single databases of one cluster, put together.
import { createBackends } from "./backend.ts";
import { type Cluster, reloadPoolers } from "./cluster.ts";
import { layout } from "./config.ts";
import { type DatabaseFile, openDatabaseFile } from "./database-file.ts";
import { type Journal, openJournal } from "./journal.ts";
import { createLifecycle, type Lifecycle } from "./lifecycle.ts";
import { createLogScrub } from "./log-scrub.ts";
import { createErrorCount } from "./log-search.ts";
import { createMemoryLimits } from "./memory.ts";
import { createMetrics, type Metrics } from "./metric.ts";
import { openMetricFiles } from "./metric-file.ts";
import { createMetricLook } from "./metric-look.ts";
import { consoleSession } from "./pgbouncer.ts";
import type { PoolMode } from "./pgbouncer-config.ts";
import { createPoolerState, pauseMilliseconds } from "./pooler-state.ts";
import { controlSession } from "./postgres.ts";
import { createSlowLook } from "./slow-statement.ts";
import { createSwap, type Swap } from "./swap.ts";
import { createWatch, repeat, watchDatabases } from "./watch.ts";

const memoryMilliseconds = 100;
const metricMilliseconds = 15_000;
const slowMilliseconds = 10_000;
const scrubMilliseconds = 250;

/** What commands do to single databases, and what has to go on meanwhile. */
export interface Databases {
  readonly file: DatabaseFile;
  readonly journal: Journal;
  readonly lifecycle: Lifecycle;
  readonly swap: (names: Swap) => Promise<void>;
  /** Has backends that live take over a changed memory limit. */
  readonly renewMemory: () => void;
  /** Lets a database's backends have what loading takes, while `work` goes on. */
  readonly whileLoading: (database: string, work: () => Promise<void>) => Promise<void>;
  readonly metrics: Metrics;
  /** Wakes, suspends and limits until the signal aborts. */
  keep(signal: AbortSignal): Promise<void>;
}

/** Opens what is kept on disk; `keep` starts the rest. */
export function openDatabases(cluster: Cluster): Databases {
  const { config, secrets, consoles, programs, weights } = cluster;
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
    weights,
  });
  // Sessions of their own: looking at a thousand databases must not hold up a wake.
  const watching = controlSession(config, secrets, "postgres");
  const paths = layout(config.directory);
  const countErrors = createErrorCount(paths.log);
  const metricLook = createMetricLook({ control: watching, poolers, countErrors });
  const metrics = createMetrics(metricLook, openMetricFiles(paths.metrics), Date.now);
  const findSlow = createSlowLook(watching, paths.log, metricLook.countSlow);
  return {
    metrics,
    file,
    journal,
    lifecycle,
    swap: createSwap({ lifecycle, backends, poolers }),
    renewMemory: memory.renew,
    whileLoading: memory.whileLoading,
    async keep(signal) {
      await Promise.all([
        watchDatabases(watch, signal),
        repeat("limit memory", memoryMilliseconds, memory.look, signal),
        repeat("sample metrics", metricMilliseconds, metrics.look, signal),
        repeat("find slow statements", slowMilliseconds, findSlow, signal),
        repeat("hide passwords in logs", scrubMilliseconds, createLogScrub(paths.log), signal),
      ]);
    },
  };
}
