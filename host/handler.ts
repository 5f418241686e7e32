import type { Cluster } from "./cluster.ts";
import type { CommandHandlers } from "./command.ts";
import type { Databases } from "./database.ts";
import { createStatus } from "./status.ts";

/** What carries out each command on this cluster. */
export function createHandlers(cluster: Cluster, databases: Databases): CommandHandlers {
  const { config, control, consoles } = cluster;
  const { file, journal, lifecycle } = databases;
  return {
    status: createStatus(config, control, consoles.transaction),
    "pooler.set": async ({ database, transaction, session }) => {
      await file.change(database, { transaction, session });
      return {};
    },
    "pooler.remove": async ({ database }) => {
      await file.change(database, undefined);
      return {};
    },
    "database.stop": async ({ database }) => {
      await lifecycle.stop(database);
      return {};
    },
    "database.start": async ({ database }) => {
      await lifecycle.start(database);
      return {};
    },
    "database.suspend_after": async ({ database, seconds }) => {
      await file.change(database, { suspend_after_seconds: seconds });
      return {};
    },
    "database.memory": async ({ database, bytes_per_backend }) => {
      await file.change(database, { bytes_per_backend });
      databases.renewMemory();
      return {};
    },
    "database.allowed_addresses": async ({ database, addresses }) => {
      await file.change(database, { allowed_addresses: addresses });
      return {};
    },
    report: async ({ after_seq, limit }) => ({
      transitions: [...journal.after(after_seq, limit)],
      last_seq: journal.lastSeq(),
    }),
  };
}
