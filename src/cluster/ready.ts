import type { Context } from "../core/context.ts";
import { allClusters } from "./find.ts";

/** Whether a cluster answers. */
export interface ClusterReadiness {
  readonly id: string;
  readonly name: string;
  readonly ready: boolean;
}

/** Whether each registered cluster answers. */
export async function clustersReady(context: Context): Promise<readonly ClusterReadiness[]> {
  const rows = await allClusters(context);
  return Promise.all(
    rows.map(async ({ id, name }) => {
      try {
        await context.cluster.checkReady(id);
        return { id, name, ready: true };
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        context.log({ level: "warning", message, cluster: name });
        return { id, name, ready: false };
      }
    }),
  );
}
