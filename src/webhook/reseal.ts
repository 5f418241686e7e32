import { and, eq, notLike, or } from "drizzle-orm";
import type { Context } from "../core/context.ts";
import { currentSealPattern, reseal } from "../core/seal.ts";
import { headersPurpose, secretPurpose } from "./secret.ts";
import { type WebhookRow, webhook } from "./table.ts";

const rowsMax = 50;

/** Re-wraps what endpoints keep sealed with a former key, some at a time; how many there were. */
export async function resealWebhooks(context: Context): Promise<number> {
  const pattern = currentSealPattern(context.keyring);
  const rows = await context.db
    .select()
    .from(webhook)
    .where(
      or(
        notLike(webhook.secretSealed, pattern),
        notLike(webhook.formerSecretSealed, pattern),
        notLike(webhook.headersSealed, pattern),
      ),
    )
    .limit(rowsMax);
  for (const row of rows) {
    // One that is changed meanwhile comes again.
    const isSame = and(
      eq(webhook.secretSealed, row.secretSealed),
      eq(webhook.headersSealed, row.headersSealed),
    );
    await context.db
      .update(webhook)
      .set(await resealed(context, row))
      .where(and(eq(webhook.id, row.id), isSame));
  }
  return rows.length;
}

async function resealed(context: Context, row: WebhookRow) {
  const again = (purpose: string, sealed: string) =>
    reseal(context.keyring, context, purpose, sealed);
  const { id, secretSealed, formerSecretSealed: former, headersSealed } = row;
  return {
    secretSealed: await again(secretPurpose(id), secretSealed),
    formerSecretSealed: former === null ? null : await again(secretPurpose(id), former),
    headersSealed: await again(headersPurpose(id), headersSealed),
  };
}
