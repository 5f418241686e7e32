// The lane of one endpoint: turns events into deliveries and sends what is due, until nothing is.
// Law: a delivery is sent before it is written down that it was, so a crash repeats an attempt
// under the same id and never skips one.
import { and, asc, eq, gt, inArray, lte, sql } from "drizzle-orm";
import { commit } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import type { LaneRest } from "../operation/run.ts";
import { fanOut } from "./fan-out.ts";
import { renderPayload } from "./payload.ts";
import { recordAttempt } from "./record.ts";
import { resolveTarget, type Target } from "./resolve.ts";
import { headersOf, secretsOf } from "./secret.ts";
import { type Outcome, send } from "./send.ts";
import {
  type DeliveryRow,
  delivery,
  type EventRow,
  event,
  isOutstanding,
  type WebhookRow,
  webhook,
} from "./table.ts";

const runMilliseconds = 45_000;
const eventsPerLook = 100;
const deliveriesPerWave = 24;
// A Worker has six connections at once.
const connectionsMax = 6;
const resolvedMilliseconds = 5000;
// An endpoint that keeps failing is tried at this pace, so that its backlog takes nothing from
// the others.
const strugglingFailures = 5;
const strugglingWave = 5;
const strugglingPauseMilliseconds = 1000;

/** Runs an endpoint's lane until it rests, or for so long that others want their turn. */
export async function runEndpoint(context: Context, webhookId: string): Promise<LaneRest> {
  const until = context.now().getTime() + runMilliseconds;
  while (context.now().getTime() < until) {
    const look = await lookAt(context, webhookId);
    if (look === null) return { dueAt: null };
    const { row, due, events, dueAt } = look;
    if (due.length === 0 && events.length < eventsPerLook) return { dueAt };
    const againAt = pausedUntil(row);
    if (againAt !== null && againAt > context.now()) return { dueAt: againAt };
    await sendWave(context, row, againAt === null ? due : due.slice(0, strugglingWave), events);
  }
  return { dueAt: context.now() };
}

// When one that keeps failing may be tried again; null for one that does not.
function pausedUntil({ failureCount, lastTriggeredAt }: WebhookRow): Date | null {
  if (failureCount < strugglingFailures || lastTriggeredAt === null) return null;
  return new Date(lastTriggeredAt.getTime() + strugglingPauseMilliseconds);
}

interface Looked {
  readonly row: WebhookRow;
  readonly events: readonly EventRow[];
  readonly due: readonly DeliveryRow[];
  readonly dueAt: Date | null;
}

// The endpoint, events that are new to it, and what is due with their deliveries among it.
async function lookAt(context: Context, webhookId: string): Promise<Looked | null> {
  const ofEndpoint = eq(webhook.id, webhookId);
  const organizationId = context.db
    .select({ id: webhook.organizationId })
    .from(webhook)
    .where(ofEndpoint);
  const cursor = context.db.select({ seq: webhook.eventSeq }).from(webhook).where(ofEndpoint);
  const [[row], events, due, next] = await context.db.batch([
    context.db
      .select()
      .from(webhook)
      .where(and(ofEndpoint, eq(webhook.state, "active"))),
    context.db
      .select()
      .from(event)
      .where(and(eq(event.organizationId, organizationId), gt(event.seq, sql`${cursor}`)))
      .orderBy(asc(event.seq))
      .limit(eventsPerLook),
    dueOf(context, webhookId),
    nextOf(context, webhookId),
  ]);
  if (row === undefined) return null;
  if (events.length === 0) return { row, events, due, dueAt: next[0]?.at ?? null };
  const reads = [dueOf(context, webhookId), nextOf(context, webhookId)] as const;
  const results = await commit(context, [...fanOut(context, row, events), ...reads]);
  const [fresh, after] = results.slice(-2) as [DeliveryRow[], { at: Date }[]];
  return { row, events, due: fresh, dueAt: after[0]?.at ?? null };
}

function dueOf(context: Context, webhookId: string) {
  return context.db
    .select()
    .from(delivery)
    .where(
      and(
        eq(delivery.webhookId, webhookId),
        isOutstanding,
        lte(delivery.nextAttemptAt, context.now()),
      ),
    )
    .orderBy(asc(delivery.nextAttemptAt), asc(delivery.seq))
    .limit(deliveriesPerWave);
}

function nextOf(context: Context, webhookId: string) {
  return context.db
    .select({ at: delivery.nextAttemptAt })
    .from(delivery)
    .where(and(eq(delivery.webhookId, webhookId), isOutstanding))
    .orderBy(asc(delivery.nextAttemptAt))
    .limit(1);
}

const forgotten: Outcome = {
  problem: "Its event is no longer kept.",
  status: null,
  body: null,
  retryAfterSeconds: null,
  milliseconds: 0,
};

// Those of one resource one after another, the others beside each other.
async function sendWave(
  context: Context,
  row: WebhookRow,
  wave: readonly DeliveryRow[],
  known: readonly EventRow[],
): Promise<void> {
  if (wave.length === 0) return;
  const [secrets, headers, events] = await Promise.all([
    secretsOf(context, row),
    headersOf(context, row),
    eventsOf(context, wave, known),
  ]);
  const targetNow = resolver(context, row.url);
  const queues = [...Map.groupBy(wave, ({ resourceId }) => resourceId).values()];
  let isOff = false;
  const work = async () => {
    for (let queue = queues.shift(); queue !== undefined; queue = queues.shift()) {
      for (const each of queue) {
        if (isOff) return;
        const found = events.get(each.eventId);
        const { id: deliveryId, eventType } = each;
        const parcelOf = (body: string) => ({ deliveryId, eventType, body, headers, secrets });
        const outcome =
          found === undefined
            ? forgotten
            : await send(context, await targetNow(), parcelOf(renderPayload(found, each)));
        isOff = (await recordAttempt(context, row, each, outcome)) || isOff;
      }
    }
  };
  await Promise.all(Array.from({ length: connectionsMax }, work));
}

async function eventsOf(
  context: Context,
  wave: readonly DeliveryRow[],
  known: readonly EventRow[],
): Promise<Map<string, EventRow>> {
  const found = new Map(known.map((each) => [each.id, each]));
  const missing = wave.map(({ eventId }) => eventId).filter((id) => !found.has(id));
  if (missing.length > 0) {
    const rows = await context.db.select().from(event).where(inArray(event.id, missing));
    for (const each of rows) found.set(each.id, each);
  }
  return found;
}

// One look-up serves the requests of the next seconds.
function resolver(context: Context, url: string): () => Promise<Target> {
  let last: { readonly at: number; readonly target: Promise<Target> } | null = null;
  return () => {
    const at = context.now().getTime();
    if (last === null || at - last.at > resolvedMilliseconds) {
      last = { at, target: resolveTarget(context, url) };
    }
    return last.target;
  };
}
