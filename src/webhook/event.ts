import type { Statement } from "../core/batch.ts";
import { type Attribution, attributionOf } from "../core/column.ts";
import type { Context } from "../core/context.ts";
import { newId } from "../core/id.ts";
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
  "database.deleted",
  "database.undeleted",
  "database.purged",
  "project.created",
  "project.deleted",
  "project.undeleted",
  "project.purged",
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
  readonly operationId?: string | null;
  /** Now, when absent. */
  readonly occurredAt?: Date;
  readonly data?: Record<string, unknown>;
}

/** Records an event, as a statement for the batch of the change it tells of. */
export function recordEvent(
  context: Context,
  type: EventType,
  subject: EventSubject,
  { operationId = null, occurredAt = context.now(), data = {} }: EventFacts = {},
): Statement {
  const { id: resourceId, organizationId, workspaceId, projectId } = subject;
  return context.db.insert(event).values({
    id: newId(context),
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
  });
}
