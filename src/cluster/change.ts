// What an operator changes of a cluster that is registered, and how it is forgotten.
import { and, eq, like } from "drizzle-orm";
import { resolveAlerts } from "../alert/raise.ts";
import { alert } from "../alert/table.ts";
import { commit } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { conflict } from "../core/error.ts";
import { refuseTooFew } from "./register.ts";
import { type ClusterRow, cluster } from "./table.ts";

/** What may change; what is undefined stays. */
export interface ClusterChange {
  readonly name?: string | undefined;
  readonly state?: ClusterRow["state"] | undefined;
  readonly databasesMax?: number | undefined;
}

/** @throws ApiError 409 NAME_TAKEN, 422 for fewer databases than there are */
export async function updateCluster(
  context: Context,
  { id, databasesCount }: ClusterRow,
  change: ClusterChange,
): Promise<void> {
  refuseTooFew(change.databasesMax ?? databasesCount, databasesCount);
  await commit(context, [
    context.db
      .update(cluster)
      .set({ ...change, updatedAt: context.now() })
      .where(eq(cluster.id, id)),
  ]);
}

/**
 * Forgets a cluster that holds no database, deleted ones in their grace time included; nothing of
 * it is touched, so it can be registered again.
 * @throws ApiError 409 CLUSTER_NOT_EMPTY
 */
export async function forgetCluster(context: Context, row: ClusterRow): Promise<void> {
  const notEmpty = () =>
    conflict(
      "CLUSTER_NOT_EMPTY",
      `The cluster has ${row.databasesCount} databases, also deleted ones in their grace time: ` +
        "PATCH its state to draining, and forget it once they are gone.",
      { databases_count: row.databasesCount },
    );
  if (row.databasesCount > 0) throw notEmpty();
  const isEmpty = and(eq(cluster.id, row.id), eq(cluster.databasesCount, 0));
  const ofCluster = like(alert.subject, `${row.id}%`);
  const kinds = ["cluster_silent", "archive_late", "backup_failed", "server_failed"] as const;
  await commit(context, [
    context.db.delete(cluster).where(isEmpty),
    ...kinds.map((kind) => resolveAlerts(context, kind, ofCluster)),
  ]);
  const left = await context.db
    .select({ id: cluster.id })
    .from(cluster)
    .where(eq(cluster.id, row.id));
  if (left.length > 0) throw notEmpty();
}
