import { databaseIdOf } from "./schema.ts";
import type { DeliveryRow, EventRow } from "./table.ts";

/**
 * The body of a delivery: the same text in every attempt. It answers to the names of every public
 * description of these deliveries at once.
 */
export function renderPayload(event: EventRow, { id, replayOf }: DeliveryRow): string {
  const occurredAt = event.occurredAt.toISOString();
  return JSON.stringify({
    id,
    delivery_id: id,
    event_id: event.id,
    event: event.type,
    type: event.type,
    /** Events of one resource in the order of their happening. */
    sequence: event.seq,
    occurred_at: occurredAt,
    timestamp: occurredAt,
    created_at: occurredAt,
    tenant_id: event.organizationId,
    replay_of: replayOf,
    data: {
      ...event.data,
      id: event.resourceId,
      workspace_id: event.workspaceId,
      project_id: event.projectId,
      database_id: databaseIdOf(event),
      operation_id: event.operationId,
      external_workspace_id: event.externalWorkspaceId,
      external_user_id: event.externalUserId,
      external_project_id: event.externalProjectId,
      metadata: event.metadata,
    },
  });
}
