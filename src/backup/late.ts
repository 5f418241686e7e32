import { eq } from "drizzle-orm";
import { raiseAlert, resolveAlerts } from "../alert/raise.ts";
import { alert } from "../alert/table.ts";
import { allClusters } from "../cluster/find.ts";
import { commit, type Statement } from "../core/batch.ts";
import type { ArchiveStatus } from "../core/cluster-port.ts";
import type { Context } from "../core/context.ts";

const lateMilliseconds = 2 * 60_000;

/** Looks how far each cluster's WAL is archived; what waits for over two minutes is an alert. */
export async function watchArchives(context: Context): Promise<void> {
  for (const { id, name } of await allClusters(context)) {
    // A cluster that does not answer is an alert of its own.
    const status = await context.cluster.archiveStatus(id).catch(() => null);
    if (status !== null) await commit(context, alertsOf(context, id, name, status));
  }
}

function alertsOf(context: Context, id: string, name: string, status: ArchiveStatus): Statement[] {
  const isLate = (since: string | null) =>
    since !== null && context.now().getTime() - Date.parse(since) > lateMilliseconds;
  const tell = (subject: string, since: string | null, message: string) =>
    isLate(since)
      ? raiseAlert(context, { kind: "archive_late", subject, message, details: { name, since } })
      : resolveAlerts(context, "archive_late", eq(alert.subject, subject));
  const { unarchived_since: waiting, store } = status;
  return [
    tell(
      id,
      waiting,
      `WAL of the cluster ${name} is not archived since ${waiting}: what is written since cannot ` +
        "be recovered. Look at the host's disk and its Postgres log for archive-push.",
    ),
    tell(
      `${id}/store`,
      store?.behind_since ?? null,
      `The second repository of the cluster ${name} is behind since ${store?.behind_since}: ` +
        `${store?.reason ?? "more is written than is copied"}. Recoveries use the first meanwhile.`,
    ),
  ];
}
