import { eq, notLike } from "drizzle-orm";
import type { Context } from "../core/context.ts";
import { currentSealPattern, reseal } from "../core/seal.ts";
import { passwordPurpose } from "./credential.ts";
import { database } from "./table.ts";

const rowsMax = 50;

/** Re-wraps passwords sealed with a former key, some at a time; how many there were. */
export async function resealDatabases(context: Context): Promise<number> {
  const rows = await context.db
    .select({ id: database.id, sealed: database.passwordSealed })
    .from(database)
    .where(notLike(database.passwordSealed, currentSealPattern(context.keyring)))
    .limit(rowsMax);
  for (const { id, sealed } of rows) {
    const passwordSealed = await reseal(context.keyring, context, passwordPurpose(id), sealed);
    await context.db.update(database).set({ passwordSealed }).where(eq(database.id, id));
  }
  return rows.length;
}
