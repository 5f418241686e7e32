import { type Cluster, reloadPoolers } from "./cluster.ts";
import type { CommandHandlers } from "./command.ts";
import { openDatabaseFile } from "./database-file.ts";
import { createStatus } from "./status.ts";

/** What carries out each command on this cluster. */
export function createHandlers(cluster: Cluster): CommandHandlers {
  const { config, control, consoles } = cluster;
  const databases = openDatabaseFile(config, () => reloadPoolers(cluster));
  return {
    status: createStatus(config, control, consoles.transaction),
    "pooler.set": async ({ database, transaction, session }) => {
      await databases.change(database, { transaction, session });
      return {};
    },
    "pooler.remove": async ({ database }) => {
      await databases.change(database, undefined);
      return {};
    },
  };
}
