import { z } from "@hono/zod-openapi";
import { Time } from "../core/schema.ts";
import { type AlertRow, alertKinds } from "./table.ts";

/** An alert as it is answered. */
export const Alert = z
  .object({
    id: z.string(),
    kind: z.enum(alertKinds),
    subject: z.string().openapi({ description: "What it is about: an id, a name, a lane" }),
    state: z.enum(["open", "resolved"]),
    message: z.string(),
    details: z.record(z.string(), z.unknown()),
    created_at: Time,
    updated_at: Time,
    resolved_at: Time.nullable(),
  })
  .openapi("Alert");

/** Renders a row. */
export function renderAlert(row: AlertRow): z.infer<typeof Alert> {
  const { id, kind, subject, message, details, resolvedAt } = row;
  return {
    id,
    kind,
    subject,
    state: resolvedAt === null ? "open" : "resolved",
    message,
    details,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
    resolved_at: resolvedAt?.toISOString() ?? null,
  };
}
