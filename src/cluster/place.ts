import { and, asc, eq, lt, type SQL, sql } from "drizzle-orm";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { unavailable } from "../core/error.ts";
import { cluster } from "./table.ts";

/** The emptiest active clusters that have room, as a query for the caller's read batch. */
export function clustersWithRoom(context: Pick<Context, "db">) {
  return context.db
    .select({ id: cluster.id })
    .from(cluster)
    .where(and(eq(cluster.state, "active"), lt(cluster.databasesCount, cluster.databasesMax)))
    .orderBy(asc(cluster.databasesCount), asc(cluster.seq))
    .limit(1);
}

/**
 * Chooses a cluster for one more database.
 * @throws ApiError 503 NO_CAPACITY when every cluster is full or draining, or none is registered.
 */
export async function place(context: Pick<Context, "db">): Promise<string> {
  const [chosen] = await clustersWithRoom(context);
  if (chosen !== undefined) return chosen.id;
  throw unavailable(
    "NO_CAPACITY",
    "No cluster has room for another database. Delete one, or ask the operator to add a cluster.",
    30,
  );
}

/** Takes one place; the table's check aborts the batch when somebody else took the last one. */
export function reserve(context: Context, clusterId: string): Statement {
  return move(context, clusterId, 1);
}

/** Gives one place back. */
export function release(context: Context, clusterId: string): Statement {
  return move(context, clusterId, -1);
}

/** Sets how many databases a cluster has to what `placed` counts in the same batch. */
export function correctCount(context: Context, clusterId: string, placed: SQL): Statement {
  return context.db
    .update(cluster)
    .set({ databasesCount: sql`${placed}`, updatedAt: context.now() })
    .where(eq(cluster.id, clusterId));
}

function move(context: Context, clusterId: string, by: 1 | -1): Statement {
  return context.db
    .update(cluster)
    .set({ databasesCount: sql`databases_count + ${by}`, updatedAt: context.now() })
    .where(eq(cluster.id, clusterId));
}
