// From events to deliveries. Law: an endpoint's cursor moves in the batch that writes its
// deliveries, of which there is one for each event; so a crash repeats a look and loses nothing.
import { eq, sql } from "drizzle-orm";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { newId } from "../core/id.ts";
import { isWanted } from "./filter.ts";
import { delivery, type EventRow, type WebhookRow, webhook } from "./table.ts";

// A statement takes a hundred values.
const rowsPerStatement = 8;
const missedMilliseconds = 3 * 86_400_000;

/** The statements that take an endpoint past these events, in their order. */
export function fanOut(
  context: Context,
  row: WebhookRow,
  events: readonly EventRow[],
): Statement[] {
  const last = events.at(-1);
  if (last === undefined) return [];
  const oldest = context.now().getTime() - missedMilliseconds;
  const wanted = events.filter((event) => isFor(row, event) && event.createdAt.getTime() >= oldest);
  const rows = wanted.map((event) => newDelivery(context, row, event));
  const inserts = Array.from({ length: Math.ceil(rows.length / rowsPerStatement) }, (_, part) =>
    context.db
      .insert(delivery)
      .values(rows.slice(part * rowsPerStatement, (part + 1) * rowsPerStatement))
      .onConflictDoNothing(),
  );
  const move = context.db
    .update(webhook)
    .set({ eventSeq: sql`max(event_seq, ${last.seq})` })
    .where(eq(webhook.id, row.id));
  return [...inserts, move];
}

// A test is for its endpoint alone, and nobody is told of itself: that would never end.
function isFor(row: WebhookRow, { type, workspaceId, resourceId }: EventRow): boolean {
  if (type === "webhook.test" || resourceId === row.id) return false;
  const isSeen = row.workspaceId === null || row.workspaceId === workspaceId;
  return isSeen && isWanted(row.events, type);
}

/** A delivery that is due at once. */
export function newDelivery(
  context: Context,
  row: WebhookRow,
  { id: eventId, type: eventType, resourceId }: Pick<EventRow, "id" | "type" | "resourceId">,
) {
  const now = context.now();
  return {
    id: newId(context),
    organizationId: row.organizationId,
    webhookId: row.id,
    eventId,
    eventType,
    resourceId,
    state: "pending" as const,
    nextAttemptAt: now,
    createdAt: now,
    updatedAt: now,
  };
}
