import type { Context } from "../core/context.ts";
import { messageOf } from "../core/error.ts";
import { allClusters } from "./find.ts";

/** Whether a cluster answers. */
export interface ClusterReadiness {
  readonly id: string;
  readonly name: string;
  /** Why it does not answer; null when it does. */
  readonly reason: string | null;
}

/** Whether each registered cluster answers. */
export async function clustersReady(context: Context): Promise<readonly ClusterReadiness[]> {
  const rows = await allClusters(context);
  return Promise.all(
    rows.map(async ({ id, name }) => {
      try {
        await context.cluster.checkReady(id);
        return { id, name, reason: null };
      } catch (error) {
        const message = messageOf(error);
        context.log({ level: "warning", message, cluster: name });
        return { id, name, reason: message.replace(/^checkReady: /, "") };
      }
    }),
  );
}
