import { eq, notLike } from "drizzle-orm";
import type { Context } from "../core/context.ts";
import { currentSealPattern, reseal } from "../core/seal.ts";
import { controlPasswordPurpose } from "./register.ts";
import { host } from "./table.ts";

/** Re-wraps the hosts' logins sealed with a former key; how many there were. */
export async function resealHosts(context: Context): Promise<number> {
  const rows = await context.db
    .select({ id: host.id, sealed: host.controlPasswordSealed })
    .from(host)
    .where(notLike(host.controlPasswordSealed, currentSealPattern(context.keyring)));
  for (const { id, sealed } of rows) {
    const purpose = controlPasswordPurpose(id);
    const controlPasswordSealed = await reseal(context.keyring, context, purpose, sealed);
    await context.db.update(host).set({ controlPasswordSealed }).where(eq(host.id, id));
  }
  return rows.length;
}

/** What a keyring must open, to see whether it does: the hosts' logins. */
export async function sealedSamples(context: Pick<Context, "db">) {
  const rows = await context.db
    .select({ id: host.id, sealed: host.controlPasswordSealed })
    .from(host);
  return rows.map(({ id, sealed }) => ({ purpose: controlPasswordPurpose(id), sealed }));
}
