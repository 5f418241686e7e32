import { sql } from "drizzle-orm";
import { followedBy, type Statement } from "../core/batch.ts";
import { type Attribution, attributionOf } from "../core/column.ts";
import type { Context } from "../core/context.ts";
import { newId } from "../core/id.ts";
import { laneName } from "./lane.ts";
import { event } from "./table.ts";

/** Every type of event there is. */
export const eventTypes = [
  "database.created",
  "database.running",
  "database.failed",
  "database.resized",
  "database.configured",
  "database.paused",
  "database.resumed",
  "database.restarted",
  "database.credentials_rotated",
  "database.storage_scaled",
  "database.storage_warning",
  "database.storage_full",
  "database.storage_normal",
  "database.restored",
  "database.promoted",
  "database.backup_problem",
  "database.backup_resolved",
  "database.verification_failed",
  "database.deleted",
  "database.undeleted",
  "database.purged",
  "project.created",
  "project.deleted",
  "project.undeleted",
  "project.purged",
  "backup.created",
  "backup.succeeded",
  "backup.failed",
  "backup.deleted",
  "restore.created",
  "restore.succeeded",
  "restore.failed",
  "webhook.test",
  "webhook.dead_letter",
  "webhook.disabled",
] as const;

/** One type of event. */
export type EventType = (typeof eventTypes)[number];

/** Whose event it is: the row it happened to. */
export interface EventSubject extends Attribution {
  readonly id: string;
  readonly organizationId: string;
  readonly workspaceId: string | null;
  readonly projectId: string | null;
}

/** What happened, beyond its type. */
export interface EventFacts {
  /** A new one when absent. */
  readonly id?: string;
  readonly operationId?: string | null;
  /** Now, when absent. */
  readonly occurredAt?: Date;
  readonly data?: Record<string, unknown>;
}

/**
 * Records an event, as a statement for the batch of the change it tells of. Once that is committed,
 * the lanes of the endpoints that listen are woken.
 */
export function recordEvent(
  context: Context,
  type: EventType,
  subject: EventSubject,
  {
    id = newId(context),
    operationId = null,
    occurredAt = context.now(),
    data = {},
  }: EventFacts = {},
): Statement {
  const { id: resourceId, organizationId, workspaceId, projectId } = subject;
  const recorded = context.db
    .insert(event)
    .values({
      id,
      organizationId,
      workspaceId,
      projectId,
      resourceId,
      operationId,
      type,
      data,
      occurredAt,
      createdAt: context.now(),
      ...attributionOf(subject),
    })
    .returning({ listeners: listenersOf(type, organizationId, workspaceId) });
  return followedBy(recorded, ([row]) => {
    const lanes = JSON.parse(row?.listeners ?? "[]") as string[];
    if (lanes.length > 0) context.wake(lanes);
  });
}

// Found in the same statement, so that what nobody listens to costs no further call.
function listenersOf(type: EventType, organizationId: string, workspaceId: string | null) {
  return sql<string>`(
    select json_group_array(${laneName(sql`w.id`)}) from webhook w
    where w.organization_id = ${organizationId} and w.state = 'active'
      and (w.workspace_id is null or w.workspace_id = ${workspaceId})
      and (w.events = '[]' or exists (select 1 from json_each(w.events) where ${type} glob value))
  )`;
}
