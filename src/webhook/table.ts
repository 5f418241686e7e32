import { index, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { attributionColumns, idColumn, seqColumn, timeColumn } from "../core/column.ts";

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
  ],
);

/** One row of the table. */
export type EventRow = typeof event.$inferSelect;
