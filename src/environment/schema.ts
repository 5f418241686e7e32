import { z } from "@hono/zod-openapi";
import { Time } from "../core/schema.ts";
import type { EnvironmentRow } from "./table.ts";

/** An environment as it is answered. */
export const Environment = z
  .object({
    id: z.string(),
    project_id: z.string(),
    name: z.string(),
    created_at: Time,
    updated_at: Time,
  })
  .openapi("Environment");

/** Renders a row. */
export function renderEnvironment(row: EnvironmentRow): z.infer<typeof Environment> {
  return {
    id: row.id,
    project_id: row.projectId,
    name: row.name,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}
