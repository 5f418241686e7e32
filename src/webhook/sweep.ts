import { and, asc, eq, exists, gt, lt, not, or, sql } from "drizzle-orm";
import { resolveAlerts } from "../alert/raise.ts";
import { alert } from "../alert/table.ts";
import { commit } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { laneOfWebhook } from "./lane.ts";
import { delivery, event, isOutstanding, webhook } from "./table.ts";

// An endpoint that is being served right now needs no second call.
const graceSeconds = 5;
// Each is a call of its own, and a cron run may make a thousand of them.
const lanesMax = 200;
const minuteMilliseconds = 60_000;

/**
 * Wakes endpoints with events or deliveries that wait: whoever was to wake them died after the
 * commit. A flood is woken in parts, another one each minute.
 */
export async function wakeEndpoints(context: Context): Promise<number> {
  const since = new Date(context.now().getTime() - graceSeconds * 1000);
  const late = context.db
    .select({ seq: delivery.seq })
    .from(delivery)
    .where(
      and(eq(delivery.webhookId, webhook.id), isOutstanding, lt(delivery.nextAttemptAt, since)),
    );
  const unseen = context.db
    .select({ seq: event.seq })
    .from(event)
    .where(
      and(
        eq(event.organizationId, webhook.organizationId),
        gt(event.seq, webhook.eventSeq),
        lt(event.createdAt, since),
      ),
    );
  const rows = await context.db
    .select({ id: webhook.id })
    .from(webhook)
    .where(and(eq(webhook.state, "active"), or(exists(late), exists(unseen))))
    .orderBy(asc(webhook.seq));
  const turn = Math.floor(context.now().getTime() / minuteMilliseconds);
  const from = (turn % Math.max(1, Math.ceil(rows.length / lanesMax))) * lanesMax;
  const part = rows.slice(from, from + lanesMax);
  context.wake(part.map(({ id }) => laneOfWebhook(id)));
  return part.length;
}

/** Resolves the alerts of endpoints that were resumed or deleted. */
export async function resolveWebhookAlerts(context: Context): Promise<void> {
  const isStillFailed = exists(
    context.db
      .select({ seq: webhook.seq })
      .from(webhook)
      .where(and(sql`${webhook.id} = ${alert.subject}`, eq(webhook.state, "failed"))),
  );
  await commit(context, [resolveAlerts(context, "webhook_failed", not(isStillFailed))]);
}
