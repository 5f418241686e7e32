import { inArray } from "drizzle-orm";
import { raiseAlert, resolveAlerts } from "../alert/raise.ts";
import { alert } from "../alert/table.ts";
import { commit } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { clustersReady } from "./ready.ts";

/** Looks in on each cluster; one that does not answer is an alert until it does. */
export async function watchClusters(context: Context): Promise<void> {
  const clusters = await clustersReady(context);
  const idsOf = (ready: boolean) =>
    clusters.filter((each) => each.ready === ready).map(({ id }) => id);
  const silent = clusters.filter(({ ready }) => !ready);
  await commit(context, [
    resolveAlerts(context, "cluster_silent", inArray(alert.subject, idsOf(true))),
    ...silent.map(({ id, name }) =>
      raiseAlert(context, {
        kind: "cluster_silent",
        subject: id,
        message:
          `The cluster ${name} does not answer: look at its host program and its log; what was ` +
          "asked of it goes on by itself once it answers.",
        details: { name },
      }),
    ),
  ]);
}
