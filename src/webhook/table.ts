import { sql } from "drizzle-orm";
import { index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import {
  attributionColumns,
  idColumn,
  seqColumn,
  timeColumn,
  timeColumns,
} from "../core/column.ts";

/** Something that happened to a resource: written in the batch that made it happen. */
export const event = sqliteTable(
  "event",
  {
    seq: seqColumn(),
    id: idColumn(),
    organizationId: text("organization_id").notNull(),
    workspaceId: text("workspace_id"),
    projectId: text("project_id"),
    /** What it happened to: the id of a database, a project. */
    resourceId: text("resource_id").notNull(),
    operationId: text("operation_id"),
    type: text("type").notNull(),
    /** Facts of this event; never a secret. */
    data: text("data", { mode: "json" }).$type<Record<string, unknown>>().notNull(),
    /** When it happened, which may be before it was learned. */
    occurredAt: timeColumn("occurred_at").notNull(),
    createdAt: timeColumn("created_at").notNull(),
    ...attributionColumns(),
  },
  (t) => [
    index("event_of_organization").on(t.organizationId, t.seq),
    index("event_of_resource").on(t.resourceId, t.seq),
    index("event_age").on(t.createdAt),
  ],
);

/** One row of the table. */
export type EventRow = typeof event.$inferSelect;

/** What an endpoint may be: only an active one is sent anything. */
export const webhookStates = ["active", "inactive", "failed"] as const;

/** An endpoint of a platform, to which events are sent. */
export const webhook = sqliteTable(
  "webhook",
  {
    seq: seqColumn(),
    id: idColumn(),
    organizationId: text("organization_id").notNull(),
    /** Set when it is told of one workspace only. */
    workspaceId: text("workspace_id"),
    name: text("name"),
    description: text("description"),
    url: text("url").notNull(),
    /** Names and globs such as `database.*`; none is everything. */
    events: text("events", { mode: "json" }).$type<readonly string[]>().notNull(),
    state: text("state", { enum: webhookStates }).notNull(),
    /** Names and values as JSON, sealed: they may authenticate. */
    headersSealed: text("headers_sealed").notNull(),
    /** Attempts after the first. */
    retryCount: integer("retry_count").notNull(),
    secretSealed: text("secret_sealed").notNull(),
    secretPreview: text("secret_preview").notNull(),
    /** Signs beside the newer one until then. */
    formerSecretSealed: text("former_secret_sealed"),
    formerSecretUntil: timeColumn("former_secret_until"),
    /** Failed attempts since the last that succeeded, and when the first of them was. */
    failureCount: integer("failure_count").notNull().default(0),
    failingSince: timeColumn("failing_since"),
    lastTriggeredAt: timeColumn("last_triggered_at"),
    lastStatusCode: integer("last_status_code"),
    /** The last event that was looked at for it. */
    eventSeq: integer("event_seq").notNull(),
    metadata: text("metadata", { mode: "json" }).$type<Record<string, unknown>>().notNull(),
    ...timeColumns(),
  },
  (t) => [index("webhook_of_organization").on(t.organizationId, t.seq)],
);

/** One row of the table. */
export type WebhookRow = typeof webhook.$inferSelect;

/** States of a delivery; the first two are open. */
export const deliveryStates = [
  "pending",
  "retrying",
  "delivered",
  "failed",
  "dead_letter",
] as const;

/** As the partial index says it, word for word, so that SQLite knows it for the same. */
export const isOutstanding = sql`state in ('pending', 'retrying')`;

/** One event for one endpoint: its id is the same in every attempt. */
export const delivery = sqliteTable(
  "delivery",
  {
    seq: seqColumn(),
    id: idColumn(),
    organizationId: text("organization_id").notNull(),
    webhookId: text("webhook_id").notNull(),
    eventId: text("event_id").notNull(),
    eventType: text("event_type").notNull(),
    /** What the event happened to: its deliveries go out one after another. */
    resourceId: text("resource_id").notNull(),
    state: text("state", { enum: deliveryStates }).notNull(),
    attempts: integer("attempts").notNull().default(0),
    responseStatus: integer("response_status"),
    /** The first of what was answered last. */
    responseBody: text("response_body"),
    /** Why the last attempt failed, in words. */
    errorMessage: text("error_message"),
    /** Of the last attempt. */
    attemptedAt: timeColumn("attempted_at"),
    durationMilliseconds: integer("duration_milliseconds"),
    nextAttemptAt: timeColumn("next_attempt_at").notNull(),
    deliveredAt: timeColumn("delivered_at"),
    /** The delivery it repeats, and the caller's own name of the repetition. */
    replayOf: text("replay_of"),
    replayId: text("replay_id"),
    ...timeColumns(),
  },
  (t) => [
    uniqueIndex("delivery_of_event").on(t.webhookId, t.eventId).where(sql`replay_of is null`),
    uniqueIndex("delivery_replay").on(t.webhookId, t.replayId),
    index("delivery_of_replayed").on(t.replayOf),
    index("delivery_due").on(t.webhookId, t.nextAttemptAt, t.seq).where(isOutstanding),
    index("delivery_of_webhook").on(t.webhookId, t.seq),
    index("delivery_age").on(t.createdAt),
  ],
);

/** One row of the table. */
export type DeliveryRow = typeof delivery.$inferSelect;

/** One request to an endpoint. */
export const attempt = sqliteTable(
  "attempt",
  {
    seq: seqColumn(),
    deliveryId: text("delivery_id").notNull(),
    /** 1 for the first. */
    number: integer("number").notNull(),
    responseStatus: integer("response_status"),
    responseBody: text("response_body"),
    errorMessage: text("error_message"),
    durationMilliseconds: integer("duration_milliseconds").notNull(),
    createdAt: timeColumn("created_at").notNull(),
  },
  (t) => [
    index("attempt_of_delivery").on(t.deliveryId, t.seq),
    index("attempt_age").on(t.createdAt),
  ],
);

/** One row of the table. */
export type AttemptRow = typeof attempt.$inferSelect;
