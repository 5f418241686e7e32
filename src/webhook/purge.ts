import { lt, sql } from "drizzle-orm";
import { commit } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { attempt, delivery, event } from "./table.ts";

const dayMilliseconds = 86_400_000;
// A month is what people look back; an event goes after whatever was delivered of it.
const deliveryDays = 30;
const eventDays = 31;
// More than a busy platform makes in a minute, and a short statement.
const rowsMax = 5000;

/** Deletes events, deliveries and attempts that are out of date, some at a time. */
export async function purgeWebhooks(context: Context): Promise<void> {
  const before = (days: number) => new Date(context.now().getTime() - days * dayMilliseconds);
  const old = (table: typeof event | typeof delivery | typeof attempt, days: number) =>
    context.db
      .select({ seq: table.seq })
      .from(table)
      .where(lt(table.createdAt, before(days)))
      .limit(rowsMax);
  await commit(context, [
    context.db.delete(attempt).where(sql`${attempt.seq} in ${old(attempt, deliveryDays)}`),
    context.db.delete(delivery).where(sql`${delivery.seq} in ${old(delivery, deliveryDays)}`),
    context.db.delete(event).where(sql`${event.seq} in ${old(event, eventDays)}`),
  ]);
}
