import type { Cluster } from "./cluster.ts";
import type { CommandHandlers } from "./command.ts";
import { layout } from "./config.ts";
import type { Databases } from "./database.ts";
import { settingsIn } from "./database-file.ts";
import { searchLogs } from "./log-search.ts";
import { createStatus } from "./status.ts";

/** What carries out each command on this cluster. */
export function createHandlers(cluster: Cluster, databases: Databases): CommandHandlers {
  const { config, control, consoles } = cluster;
  const { file, journal, lifecycle } = databases;
  return {
    status: createStatus(config, control, consoles.transaction),
    "database.configure": async ({ database, settings }) => {
      const { bytes_per_backend: before } = file.all.get(database) ?? {};
      await file.change(database, settings);
      if (before !== settings.bytes_per_backend) databases.renewMemory();
      return {};
    },
    "database.forget": async ({ database }) => {
      await file.change(database, undefined);
      return {};
    },
    inventory: async () => ({
      databases: [...file.all].map(([database, wanted]) => ({
        database,
        state: wanted.state ?? "running",
        settings: settingsIn(wanted),
      })),
    }),
    "database.stop": async ({ database }) => {
      await lifecycle.stop(database);
      return {};
    },
    "database.start": async ({ database }) => {
      await lifecycle.start(database);
      return {};
    },
    "database.logs": (query) => searchLogs(layout(config.directory).log, query),
    "database.metrics": async ({ database, window_seconds }) => ({
      points: databases.metrics.of(database, window_seconds),
    }),
    report: async ({ after_seq, limit }) => ({
      transitions: [...journal.after(after_seq, limit)],
      last_seq: journal.lastSeq(),
    }),
  };
}
