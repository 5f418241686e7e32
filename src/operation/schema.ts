import { z } from "@hono/zod-openapi";
import { Time } from "../core/schema.ts";
import { type OperationRow, operationStatuses } from "./table.ts";

/** An operation as it is answered. */
export const Operation = z
  .object({
    id: z.string(),
    kind: z.string().openapi({ example: "database.provision" }),
    status: z.enum(operationStatuses),
    project_id: z.string().nullable(),
    resource_id: z.string(),
    database_id: z.string().nullable(),
    current_step: z.string().nullable(),
    steps_done: z.int(),
    steps_total: z.int(),
    step_milliseconds: z.record(z.string(), z.int()),
    attempts: z.int(),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    created_at: Time,
    started_at: Time.nullable(),
    finished_at: Time.nullable(),
    deadline_at: Time,
    updated_at: Time,
  })
  .openapi("Operation");

/** Renders a row. */
export function renderOperation(row: OperationRow): z.infer<typeof Operation> {
  const { errorCode, errorMessage } = row;
  return {
    id: row.id,
    kind: row.kind,
    status: row.status,
    project_id: row.projectId,
    resource_id: row.resourceId,
    database_id: row.kind.startsWith("database.") ? (row.resourceId.split("/")[0] ?? null) : null,
    current_step: row.finishedAt === null ? row.step : null,
    steps_done: row.stepsDone,
    steps_total: row.stepsTotal,
    step_milliseconds: row.stepMilliseconds,
    attempts: row.attempts,
    error: errorCode === null ? null : { code: errorCode, message: errorMessage ?? "" },
    created_at: row.createdAt.toISOString(),
    started_at: row.startedAt?.toISOString() ?? null,
    finished_at: row.finishedAt?.toISOString() ?? null,
    deadline_at: row.deadlineAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}
