import { type Cluster, reloadPoolers } from "./cluster.ts";
import type { CommandHandlers } from "./command.ts";
import { createPoolerLimits } from "./pooler-limit.ts";
import { createStatus } from "./status.ts";

/** What carries out each command on this cluster. */
export function createHandlers(cluster: Cluster): CommandHandlers {
  const { config, control, consoles } = cluster;
  const limits = createPoolerLimits(config, () => reloadPoolers(cluster));
  return {
    status: createStatus(config, control, consoles.transaction),
    "pooler.set": async ({ database, transaction, session }) => {
      await limits.change(database, { transaction, session });
      return {};
    },
    "pooler.remove": async ({ database }) => {
      await limits.change(database, undefined);
      return {};
    },
  };
}
