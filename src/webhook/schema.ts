import { z } from "@hono/zod-openapi";
import { attributionAnswer, Time } from "../core/schema.ts";
import { eventTypes } from "./event.ts";
import type { EventRow } from "./table.ts";

/** An event as it is answered. */
export const Event = z
  .object({
    id: z.string(),
    type: z.enum(eventTypes),
    tenant_id: z.string(),
    workspace_id: z.string().nullable(),
    project_id: z.string().nullable(),
    resource_id: z.string(),
    database_id: z.string().nullable(),
    operation_id: z.string().nullable(),
    data: z.record(z.string(), z.unknown()),
    ...attributionAnswer,
    occurred_at: Time,
    created_at: Time,
  })
  .openapi("Event");

/** The database an event is about: its resource, or the one its facts name. */
export function databaseIdOf({ type, resourceId, data }: EventRow): string | null {
  if (type.startsWith("database.")) return resourceId;
  return typeof data.database_id === "string" ? data.database_id : null;
}

/** Renders a row. */
export function renderEvent(row: EventRow): z.infer<typeof Event> {
  return {
    id: row.id,
    type: row.type as z.infer<typeof Event>["type"],
    tenant_id: row.organizationId,
    workspace_id: row.workspaceId,
    project_id: row.projectId,
    resource_id: row.resourceId,
    database_id: databaseIdOf(row),
    operation_id: row.operationId,
    data: row.data,
    external_workspace_id: row.externalWorkspaceId,
    external_user_id: row.externalUserId,
    external_project_id: row.externalProjectId,
    metadata: row.metadata,
    occurred_at: row.occurredAt.toISOString(),
    created_at: row.createdAt.toISOString(),
  };
}
