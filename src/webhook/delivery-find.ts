import { and, asc, desc, eq, gte, inArray, lt, notExists } from "drizzle-orm";
import { alias } from "drizzle-orm/sqlite-core";
import type { Context } from "../core/context.ts";
import { notFound } from "../core/error.ts";
import { type AttemptRow, attempt, type DeliveryRow, delivery, type WebhookRow } from "./table.ts";

/** Which deliveries are wanted; what is undefined does not filter. */
export interface DeliveryFilter {
  readonly before?: Date | undefined;
  readonly beforeSeq: number | null;
  readonly state?: DeliveryRow["state"] | undefined;
  readonly limit: number;
}

/** Deliveries of an endpoint, newest first. */
export function listDeliveries(
  context: Context,
  { id }: WebhookRow,
  { before, beforeSeq, state, limit }: DeliveryFilter,
): Promise<DeliveryRow[]> {
  return context.db
    .select()
    .from(delivery)
    .where(
      and(
        eq(delivery.webhookId, id),
        before === undefined ? undefined : lt(delivery.createdAt, before),
        beforeSeq === null ? undefined : lt(delivery.seq, beforeSeq),
        state === undefined ? undefined : eq(delivery.state, state),
      ),
    )
    .orderBy(desc(delivery.seq))
    .limit(limit);
}

/** @throws ApiError 404 also when it is another endpoint's */
export async function findDelivery(
  context: Context,
  { id: webhookId }: WebhookRow,
  id: string,
): Promise<DeliveryRow> {
  const [row] = await context.db
    .select()
    .from(delivery)
    .where(and(eq(delivery.webhookId, webhookId), eq(delivery.id, id)));
  if (row === undefined) throw notFound("delivery");
  return row;
}

/** The attempts of a delivery, the first one first. */
export function attemptsOf(context: Context, { id }: DeliveryRow): Promise<AttemptRow[]> {
  return context.db
    .select()
    .from(attempt)
    .where(eq(attempt.deliveryId, id))
    .orderBy(asc(attempt.seq));
}

/** What failed for good since a time and was not repeated, in its order. */
export function failedSince(
  context: Context,
  { id }: WebhookRow,
  since: Date,
  limit: number,
): Promise<DeliveryRow[]> {
  const replay = alias(delivery, "replay");
  const replays = context.db
    .select({ id: replay.id })
    .from(replay)
    .where(eq(replay.replayOf, delivery.id));
  return context.db
    .select()
    .from(delivery)
    .where(
      and(
        eq(delivery.webhookId, id),
        inArray(delivery.state, ["failed", "dead_letter"]),
        gte(delivery.createdAt, since),
        notExists(replays),
      ),
    )
    .orderBy(asc(delivery.seq))
    .limit(limit);
}
