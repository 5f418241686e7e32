// What became of an attempt, in one batch: the delivery, the attempt, the endpoint, and the event
// that tells of the end of either.
import { and, eq, sql } from "drizzle-orm";
import { raiseAlert } from "../alert/raise.ts";
import { commit, type Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { type EventSubject, recordEvent } from "./event.ts";
import { nextAttemptAt } from "./schedule.ts";
import type { Outcome } from "./send.ts";
import { attempt, type DeliveryRow, delivery, type WebhookRow, webhook } from "./table.ts";

const goneStatus = 410;
const failingMilliseconds = 3 * 86_400_000;

/** Writes an attempt down; true when the endpoint was switched off by it. */
export async function recordAttempt(
  context: Context,
  row: WebhookRow,
  sent: DeliveryRow,
  outcome: Outcome,
): Promise<boolean> {
  const end = endOf(context, row, outcome);
  await commit(context, [
    insertAttempt(context, sent, outcome),
    ...moveDelivery(context, row, sent, outcome),
    moveEndpoint(context, row, outcome, end),
    ...(end === null ? [] : tellEnd(context, row, end)),
  ]);
  return end !== null;
}

/** Whose events tell of an endpoint. */
export function subjectOf({ id, organizationId, workspaceId }: WebhookRow): EventSubject {
  const nobody = { externalWorkspaceId: null, externalUserId: null, externalProjectId: null };
  return { id, organizationId, workspaceId, projectId: null, ...nobody, metadata: {} };
}

type End = { readonly state: "inactive" | "failed"; readonly reason: "gone" | "failing" };

// A receiver that says it is gone, or one that has failed for days.
function endOf({ now }: Context, { failingSince }: WebhookRow, outcome: Outcome): End | null {
  if (outcome.problem === null) return null;
  if (outcome.status === goneStatus) return { state: "inactive", reason: "gone" };
  const isFailed =
    failingSince !== null && now().getTime() - failingSince.getTime() >= failingMilliseconds;
  return isFailed ? { state: "failed", reason: "failing" } : null;
}

function insertAttempt(context: Context, sent: DeliveryRow, outcome: Outcome): Statement {
  return context.db.insert(attempt).values({
    deliveryId: sent.id,
    number: sent.attempts + 1,
    responseStatus: outcome.status,
    responseBody: outcome.body,
    errorMessage: outcome.problem,
    durationMilliseconds: outcome.milliseconds,
    createdAt: context.now(),
  });
}

function moveDelivery(
  context: Context,
  row: WebhookRow,
  sent: DeliveryRow,
  { problem, status, body, milliseconds, retryAfterSeconds }: Outcome,
): Statement[] {
  const [now, attempts] = [context.now(), sent.attempts + 1];
  const next =
    problem === null || status === goneStatus
      ? null
      : nextAttemptAt(context, attempts, row.retryCount, retryAfterSeconds);
  const failed = status === goneStatus ? ("failed" as const) : ("dead_letter" as const);
  const ended = problem === null ? ("delivered" as const) : failed;
  const state = next === null ? ended : ("retrying" as const);
  const move = context.db
    .update(delivery)
    .set({
      state,
      attempts,
      responseStatus: status,
      responseBody: body,
      errorMessage: problem,
      attemptedAt: now,
      durationMilliseconds: milliseconds,
      nextAttemptAt: next ?? sent.nextAttemptAt,
      deliveredAt: problem === null ? now : null,
      updatedAt: now,
    })
    .where(and(eq(delivery.id, sent.id), eq(delivery.attempts, sent.attempts)));
  return state === "dead_letter" ? [move, ...tellDeadLetter(context, row, sent, problem)] : [move];
}

// Not of what tells of webhooks: two dead endpoints would tell each other without end.
function tellDeadLetter(
  context: Context,
  row: WebhookRow,
  { id, eventId, eventType, attempts }: DeliveryRow,
  problem: string | null,
): Statement[] {
  if (eventType.startsWith("webhook.")) return [];
  const data = {
    delivery_id: id,
    event_id: eventId,
    event_type: eventType,
    attempts: attempts + 1,
    reason: problem,
  };
  return [recordEvent(context, "webhook.dead_letter", subjectOf(row), { data })];
}

function moveEndpoint(
  context: Context,
  row: WebhookRow,
  { problem, status }: Outcome,
  end: End | null,
): Statement {
  const now = context.now();
  const count =
    problem === null
      ? { failureCount: 0, failingSince: null }
      : {
          failureCount: sql`failure_count + 1`,
          failingSince: sql`coalesce(failing_since, ${now.getTime()})`,
        };
  return context.db
    .update(webhook)
    .set({
      ...count,
      ...(end === null ? {} : { state: end.state }),
      lastTriggeredAt: now,
      ...(status === null ? {} : { lastStatusCode: status }),
    })
    .where(eq(webhook.id, row.id));
}

function tellEnd(context: Context, row: WebhookRow, { state, reason }: End): Statement[] {
  const data = { reason, state, url: row.url };
  const told = recordEvent(context, "webhook.disabled", subjectOf(row), { data });
  if (state !== "failed") return [told];
  const message = "A webhook failed for three days and was switched off; its owner may resume it.";
  const details = { webhook_id: row.id, organization_id: row.organizationId };
  return [told, raiseAlert(context, { kind: "webhook_failed", subject: row.id, message, details })];
}
