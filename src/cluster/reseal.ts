import { eq, notLike } from "drizzle-orm";
import type { Context } from "../core/context.ts";
import { currentSealPattern, reseal } from "../core/seal.ts";
import { controlPasswordPurpose } from "./register.ts";
import { cluster } from "./table.ts";

/** Re-wraps the clusters' logins sealed with a former key; how many there were. */
export async function resealClusters(context: Context): Promise<number> {
  const rows = await context.db
    .select({ id: cluster.id, sealed: cluster.controlPasswordSealed })
    .from(cluster)
    .where(notLike(cluster.controlPasswordSealed, currentSealPattern(context.keyring)));
  for (const { id, sealed } of rows) {
    const purpose = controlPasswordPurpose(id);
    const controlPasswordSealed = await reseal(context.keyring, context, purpose, sealed);
    await context.db.update(cluster).set({ controlPasswordSealed }).where(eq(cluster.id, id));
  }
  return rows.length;
}

/** What a keyring must open, to see whether it does: the clusters' logins. */
export async function sealedSamples(context: Pick<Context, "db">) {
  const rows = await context.db
    .select({ id: cluster.id, sealed: cluster.controlPasswordSealed })
    .from(cluster);
  return rows.map(({ id, sealed }) => ({ purpose: controlPasswordPurpose(id), sealed }));
}
