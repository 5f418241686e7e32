// Deliveries a caller asks for: tests, and repetitions of what was delivered or was not.
import { commit, followedBy, violatedConstraint } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { conflict } from "../core/error.ts";
import { newId } from "../core/id.ts";
import type { Receipt } from "../core/route.ts";
import { failedSince } from "./delivery-find.ts";
import { recordEvent } from "./event.ts";
import { newDelivery } from "./fan-out.ts";
import { laneOfWebhook } from "./lane.ts";
import { subjectOf } from "./record.ts";
import { type DeliveryRow, delivery, type WebhookRow } from "./table.ts";

// A statement takes a hundred values.
const rowsPerStatement = 8;
/** Deliveries one call repeats. */
export const replaysMax = 1000;

/** Sends an endpoint an event of its own; the id of the delivery. */
export async function sendTest(
  context: Context,
  row: WebhookRow,
  receipt: Receipt,
): Promise<string> {
  requireActive(row);
  const id = newId(context);
  const told = recordEvent(context, "webhook.test", subjectOf(row), {
    id,
    data: { message: "This is a test." },
  });
  const made = newDelivery(context, row, { id, type: "webhook.test", resourceId: row.id });
  const inserted = context.db.insert(delivery).values(made);
  await commit(context, [told, inserted, ...receipt(pathOf(row, made.id))]);
  return made.id;
}

/**
 * Sends an event once more, as a new delivery; its id.
 * @throws ApiError 409 for an inactive endpoint, and for a `replayId` that was used before
 */
export async function replay(
  context: Context,
  row: WebhookRow,
  original: DeliveryRow,
  replayId: string | undefined,
  receipt: Receipt,
): Promise<string> {
  requireActive(row);
  const made = replayOf(context, row, original, replayId);
  const inserted = woken(context, row, [made]);
  try {
    await commit(context, [...inserted, ...receipt(pathOf(row, made.id))]);
  } catch (error) {
    if (violatedConstraint(error) !== "delivery.webhook_id, delivery.replay_id") throw error;
    const message = "replay_id: was used for another replay of this webhook; send a new one.";
    throw conflict("REPLAY_ID_REUSED", message);
  }
  return made.id;
}

/** Repeats what failed for good since a time, the oldest first, up to a limit; how many. */
export async function replayFailed(
  context: Context,
  row: WebhookRow,
  since: Date,
): Promise<number> {
  requireActive(row);
  const failed = await failedSince(context, row, since, replaysMax);
  const made = failed.map((each) => replayOf(context, row, each, undefined));
  await commit(context, woken(context, row, made));
  return made.length;
}

function replayOf(
  context: Context,
  row: WebhookRow,
  { id, eventId, eventType: type, resourceId }: DeliveryRow,
  replayId: string | undefined,
) {
  const made = newDelivery(context, row, { id: eventId, type, resourceId });
  return { ...made, replayOf: id, replayId: replayId ?? made.id };
}

function woken(context: Context, row: WebhookRow, made: ReturnType<typeof replayOf>[]) {
  return Array.from({ length: Math.ceil(made.length / rowsPerStatement) }, (_, part) => {
    const rows = made.slice(part * rowsPerStatement, (part + 1) * rowsPerStatement);
    const inserted = context.db.insert(delivery).values(rows);
    const isLast = (part + 1) * rowsPerStatement >= made.length;
    return isLast ? followedBy(inserted, () => context.wake([laneOfWebhook(row.id)])) : inserted;
  });
}

const pathOf = (row: WebhookRow, id: string) => `/webhooks/${row.id}/deliveries/${id}`;

function requireActive({ state }: WebhookRow): void {
  if (state === "active") return;
  throw conflict("WEBHOOK_INACTIVE", `The webhook is ${state}; resume it first.`, { state });
}
