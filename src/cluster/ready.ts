import type { Context } from "../core/context.ts";
import { allClusters } from "./find.ts";

/** Whether each registered cluster answers, by its name. */
export async function clustersReady(
  context: Context,
): Promise<readonly { readonly name: string; readonly ready: boolean }[]> {
  const rows = await allClusters(context);
  return Promise.all(
    rows.map(async ({ id, name }) => {
      try {
        await context.cluster.checkReady(id);
        return { name, ready: true };
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        context.log({ level: "warning", message, cluster: name });
        return { name, ready: false };
      }
    }),
  );
}
