import { eq, notLike } from "drizzle-orm";
import type { Context } from "../core/context.ts";
import { currentSealPattern, reseal } from "../core/seal.ts";
import { host } from "./table.ts";

/** What a host's check of the sealing keys is sealed for. */
export function sealCheckPurpose(hostId: string): string {
  return `host:${hostId}:seal-check`;
}

/** Re-wraps the hosts' checks sealed with a former key; how many there were. */
export async function resealHosts(context: Context): Promise<number> {
  const rows = await context.db
    .select({ id: host.id, sealed: host.checkSealed })
    .from(host)
    .where(notLike(host.checkSealed, currentSealPattern(context.keyring)));
  for (const { id, sealed } of rows) {
    const checkSealed = await reseal(context.keyring, context, sealCheckPurpose(id), sealed);
    await context.db.update(host).set({ checkSealed }).where(eq(host.id, id));
  }
  return rows.length;
}

/** What a keyring must open, to see whether it does: the hosts' checks. */
export async function sealedSamples(context: Pick<Context, "db">) {
  const rows = await context.db.select({ id: host.id, sealed: host.checkSealed }).from(host);
  return rows.map(({ id, sealed }) => ({ purpose: sealCheckPurpose(id), sealed }));
}
