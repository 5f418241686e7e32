import { eq } from "drizzle-orm";
import type { Context } from "../core/context.ts";
import { notFound } from "../core/error.ts";
import { type ClusterRow, cluster } from "./table.ts";

/** @throws Error when there is no such cluster: its databases' rows name it, so it is a defect. */
export async function getCluster(
  context: Pick<Context, "db">,
  clusterId: string,
): Promise<ClusterRow> {
  const [row] = await context.db.select().from(cluster).where(eq(cluster.id, clusterId));
  if (row === undefined) throw new Error(`Cluster ${clusterId} is not registered.`);
  return row;
}

/** The cluster a caller names. @throws ApiError 404 when there is none. */
export async function findCluster(
  context: Pick<Context, "db">,
  clusterId: string,
): Promise<ClusterRow> {
  const [row] = await context.db.select().from(cluster).where(eq(cluster.id, clusterId));
  if (row === undefined) throw notFound("cluster");
  return row;
}

/** Every cluster, oldest first, as a query for a read batch. */
export function allClusters(context: Pick<Context, "db">) {
  return context.db.select().from(cluster).orderBy(cluster.seq);
}
