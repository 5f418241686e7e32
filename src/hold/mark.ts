// Tells each host the state of D1, minute by minute. What a host is told is written down before, so
// a host that knows what this D1 does not has seen a later state of it, or another D1's: then
// nothing is repaired or removed until a person says so. That holds however long it was silent.

import { allClusters, getCluster } from "../cluster/find.ts";
import { markTaken, prepareMark } from "../cluster/mark.ts";
import type { ClusterRow } from "../cluster/table.ts";
import type { Mark } from "../contract/mark.ts";
import type { Context } from "../core/context.ts";
import { messageOf } from "../core/error.ts";
import { ensureInstallation, holdRepairs } from "./hold.ts";

/** Marks every host that answers; before anything that repairs. */
export async function markClusters(context: Context): Promise<void> {
  const { epoch } = await ensureInstallation(context);
  for (const row of await allClusters(context)) {
    try {
      await markCluster(context, row, epoch);
    } catch (error) {
      // One that is silent is an alert of its own, and nothing of it is repaired meanwhile.
      const message = messageOf(error);
      context.log({ level: "warning", message, cluster: row.name });
    }
  }
}

async function markCluster(context: Context, row: ClusterRow, epoch: string): Promise<void> {
  const { id, name, markConfirmed, adoptsMark } = row;
  const state = row.markPending ?? (await prepareMark(context, id));
  const mark: Mark = { epoch, state, at: context.now().toISOString() };
  const expected = markConfirmed === null ? [state] : [markConfirmed, state];
  const { known } = await context.cluster.mark(id, mark, expected, adoptsMark);
  if (known === null || adoptsMark || expected.includes(known.state)) {
    await context.db.batch([markTaken(context, id, state)]);
    return;
  }
  // Another run of the cron may have told it the next one meanwhile.
  const now = await getCluster(context, id);
  if ([now.markConfirmed, now.markPending].includes(known.state)) return;
  const reason =
    known.epoch === epoch
      ? "D1 was brought back from an earlier time: " +
        `the cluster ${name} knows its state of ${known.at}, which this D1 does not.`
      : `the cluster ${name} was kept by another D1 before: this one is new to it.`;
  await holdRepairs(context, reason, null);
}
