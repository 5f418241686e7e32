import { z } from "@hono/zod-openapi";
import { Cursor, IdParameters, optional, Time, uuid, wholeNumber } from "../core/schema.ts";
import { type AttemptRow, type DeliveryRow, deliveryStates } from "./table.ts";

const limitMax = 100;
const timeProblem = "must be a time as in RFC 3339, such as 2026-11-22T12:00:00Z";
const limitProblem = `must be a whole number from 1 to ${limitMax}`;

/** The path of a delivery. */
export const DeliveryParameters = IdParameters.extend({
  delivery_id: uuid("is not a UUID").openapi({ example: "019a7c5e-8f00-7000-8000-000000000000" }),
});

/** Query of `webhooks.listDeliveries`. */
export const DeliveryQuery = z.object({
  limit: z
    .string(limitProblem)
    .regex(/^\d{1,9}$/, limitProblem)
    .transform(Number)
    .pipe(wholeNumber(limitMax))
    .default(50)
    .openapi({ type: "integer", minimum: 1, maximum: limitMax, default: 50 }),
  before: z.iso.datetime({ offset: true, message: timeProblem }).optional(),
  cursor: Cursor.optional(),
  state: z.enum(deliveryStates, `must be one of ${deliveryStates.join(", ")}`).optional(),
});

const replayIdForm = /^[\x21-\x7e]{1,255}$/;

/** Body of `webhooks.replayDelivery`. */
export const ReplayDelivery = z
  .strictObject({
    replay_id: optional(
      z
        .string("must be text")
        .regex(replayIdForm, "must be 1-255 printable ASCII characters without spaces"),
    ).openapi({
      type: "string",
      pattern: replayIdForm.source,
      description: "Your own name of this replay; taken once",
    }),
  })
  .openapi("ReplayDelivery", { example: { replay_id: "after-outage-1" } });

/** Body of `webhooks.replay`. */
export const ReplayFailed = z
  .strictObject({ since: z.iso.datetime({ offset: true, message: timeProblem }) })
  .openapi("ReplayFailed", { example: { since: "2026-11-22T12:00:00Z" } });

/** What `webhooks.replay` began. */
export const Replayed = z
  .strictObject({
    replayed: z.int(),
    has_more: z.boolean().openapi({ description: "True when a second call would find more" }),
  })
  .openapi("Replayed");

/** A delivery as it is answered. */
export const Delivery = z
  .object({
    id: z.string(),
    webhook_id: z.string(),
    event_id: z.string(),
    event: z.string(),
    event_type: z.string(),
    resource_id: z.string(),
    state: z.enum(deliveryStates),
    response_status: z.int().nullable(),
    response_body: z.string().nullable().openapi({ description: "Its first 4096 bytes" }),
    error_message: z.string().nullable(),
    status_code: z.int().nullable().openapi({ description: "The same as `response_status`" }),
    success: z.boolean(),
    error: z.string().nullable().openapi({ description: "The same as `error_message`" }),
    attempted_at: Time.nullable(),
    duration_ms: z.int().nullable().openapi({ description: "Of the last attempt" }),
    attempts: z.int(),
    attempt_count: z.int(),
    next_retry_at: Time.nullable(),
    delivered_at: Time.nullable(),
    replay_of: z.string().nullable(),
    replay_id: z.string().nullable(),
    created_at: Time,
    updated_at: Time,
  })
  .openapi("Delivery");

/** The same with each attempt. */
export const DeliveryWithAttempts = Delivery.extend({
  attempt_log: z.array(
    z.object({
      number: z.int(),
      response_status: z.int().nullable(),
      response_body: z.string().nullable(),
      error_message: z.string().nullable(),
      duration_ms: z.int(),
      created_at: Time,
    }),
  ),
}).openapi("DeliveryWithAttempts");

/** Renders a row. */
export function renderDelivery(row: DeliveryRow): z.infer<typeof Delivery> {
  const isOutstanding = row.state === "pending" || row.state === "retrying";
  return {
    id: row.id,
    webhook_id: row.webhookId,
    event_id: row.eventId,
    event: row.eventType,
    event_type: row.eventType,
    resource_id: row.resourceId,
    state: row.state,
    response_status: row.responseStatus,
    response_body: row.responseBody,
    error_message: row.errorMessage,
    status_code: row.responseStatus,
    success: row.state === "delivered",
    error: row.errorMessage,
    attempted_at: row.attemptedAt?.toISOString() ?? null,
    duration_ms: row.durationMilliseconds,
    attempts: row.attempts,
    attempt_count: row.attempts,
    next_retry_at: isOutstanding ? row.nextAttemptAt.toISOString() : null,
    delivered_at: row.deliveredAt?.toISOString() ?? null,
    replay_of: row.replayOf,
    replay_id: row.replayId,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

/** Renders a row with its attempts. */
export function renderWithAttempts(row: DeliveryRow, attempts: readonly AttemptRow[]) {
  const attempt_log = attempts.map((each) => ({
    number: each.number,
    response_status: each.responseStatus,
    response_body: each.responseBody,
    error_message: each.errorMessage,
    duration_ms: each.durationMilliseconds,
    created_at: each.createdAt.toISOString(),
  }));
  return { ...renderDelivery(row), attempt_log };
}
