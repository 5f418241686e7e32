import { eq, notLike, or, sql } from "drizzle-orm";
import type { Context } from "../core/context.ts";
import { currentSealPattern, reseal } from "../core/seal.ts";
import { passwordPurpose } from "./credential.ts";
import { database, spare } from "./table.ts";

const rowsMax = 50;

/** Re-wraps passwords sealed with a former key, some rows at a time; how many there were. */
export async function resealDatabases(context: Context): Promise<number> {
  const current = currentSealPattern(context.keyring);
  const rows = await context.db
    .select()
    .from(database)
    .where(
      or(
        notLike(database.passwordSealed, current),
        notLike(database.pendingPasswordSealed, current),
        sql`exists (select 1 from json_each(${database.formerLogins}) f
          where json_extract(f.value, '$.passwordSealed') not like ${current})`,
      ),
    )
    .limit(rowsMax);
  for (const { id, passwordSealed, pendingPasswordSealed, formerLogins } of rows) {
    const again = sealer(context, id);
    await context.db
      .update(database)
      .set({
        passwordSealed: await again(passwordSealed),
        pendingPasswordSealed:
          pendingPasswordSealed === null ? null : await again(pendingPasswordSealed),
        formerLogins: await Promise.all(
          formerLogins.map(async (each) => ({
            ...each,
            passwordSealed: await again(each.passwordSealed),
          })),
        ),
      })
      // A rotation may have changed them meanwhile: then the next look comes back to it.
      .where(sql`${eq(database.id, id)} and ${eq(database.passwordSealed, passwordSealed)}
        and ${database.pendingPasswordSealed} is ${pendingPasswordSealed}
        and ${eq(database.formerLogins, formerLogins)}`);
  }
  return rows.length + (await resealSpares(context));
}

async function resealSpares(context: Context): Promise<number> {
  const rows = await context.db
    .select({ id: spare.id, sealed: spare.passwordSealed })
    .from(spare)
    .where(notLike(spare.passwordSealed, currentSealPattern(context.keyring)))
    .limit(rowsMax);
  for (const { id, sealed } of rows) {
    const passwordSealed = await sealer(context, id)(sealed);
    await context.db.update(spare).set({ passwordSealed }).where(eq(spare.id, id));
  }
  return rows.length;
}

function sealer(context: Context, id: string): (sealed: string) => Promise<string> {
  return (sealed) => reseal(context.keyring, context, passwordPurpose(id), sealed);
}
