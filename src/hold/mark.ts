// Tells each host the state of D1, minute by minute. A host that knows a later one, or another
// D1's, has seen what this D1 has not: then nothing is repaired or removed until a person says so.

import { eq, sql } from "drizzle-orm";
import { allClusters } from "../cluster/find.ts";
import { adopted } from "../cluster/mark.ts";
import type { ClusterRow } from "../cluster/table.ts";
import type { ClusterMark } from "../core/cluster-port.ts";
import type { Context } from "../core/context.ts";
import { messageOf } from "../core/error.ts";
import { ensureInstallation, holdRepairs } from "./hold.ts";
import { installation } from "./table.ts";

/** Marks every host that answers; before anything that repairs. */
export async function markClusters(context: Context): Promise<void> {
  await ensureInstallation(context);
  const [mark] = await context.db
    .update(installation)
    .set({ tick: sql`tick + 1` })
    .where(eq(installation.id, 1))
    .returning({ epoch: installation.epoch, tick: installation.tick });
  if (mark === undefined) return;
  for (const row of await allClusters(context)) {
    try {
      await markCluster(context, row, mark);
    } catch (error) {
      // One that is silent is an alert of its own, and nothing of it is repaired meanwhile.
      const message = messageOf(error);
      context.log({ level: "warning", message, cluster: row.name });
    }
  }
}

async function markCluster(
  context: Context,
  { id, name, adoptsMark }: ClusterRow,
  mark: ClusterMark,
): Promise<void> {
  const { known } = await context.cluster.mark(id, mark, adoptsMark);
  if (adoptsMark) await context.db.batch([adopted(context, id)]);
  if (known === null || adoptsMark) return;
  if (known.epoch !== mark.epoch) {
    const reason = `the cluster ${name} was kept by another D1 before: this one is new to it.`;
    return holdRepairs(context, reason, null);
  }
  if (known.tick < mark.tick) return;
  const reason =
    `D1 was brought back from an earlier time: the cluster ${name} has seen a state that is ` +
    `${known.tick - mark.tick + 1} runs of the cron later.`;
  return holdRepairs(context, reason, null);
}
