import { sql } from "drizzle-orm";
import { index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import {
  attributionColumns,
  idColumn,
  seqColumn,
  timeColumn,
  timeColumns,
} from "../core/column.ts";

// One that is purged after its grace time has given its name up before.
const hasItsName = sql`state not in ('deleted', 'purged')
  and not (state = 'deleting' and deleted_at is not null)`;

/** An app of a customer of the platform. */
export const project = sqliteTable(
  "project",
  {
    seq: seqColumn(),
    id: idColumn(),
    organizationId: text("organization_id").notNull(),
    workspaceId: text("workspace_id").notNull(),
    name: text("name").notNull(),
    slug: text("slug").notNull(),
    description: text("description"),
    settings: text("settings", { mode: "json" }).$type<Record<string, unknown>>().notNull(),
    /** The one databases go to that name no project; made when first needed. */
    isDefault: integer("is_default", { mode: "boolean" }).notNull(),
    /** True once Postgres was asked for: other environments then get theirs on demand. */
    hasPostgres: integer("has_postgres", { mode: "boolean" }).notNull(),
    /** The size its environments' databases are made with. */
    postgresSize: text("postgres_size", { enum: ["small", "medium", "large"] }),
    state: text("state", { enum: ["active", "deleting", "deleted", "purged"] }).notNull(),
    deletedAt: timeColumn("deleted_at"),
    /** When a deleted one is gone for good. */
    purgeAt: timeColumn("purge_at"),
    ...attributionColumns(),
    ...timeColumns(),
  },
  (t) => [
    uniqueIndex("project_slug").on(t.workspaceId, t.slug).where(hasItsName),
    index("project_external").on(t.organizationId, t.externalProjectId),
    uniqueIndex("project_default").on(t.workspaceId).where(sql`is_default = 1 and ${hasItsName}`),
    index("project_of_organization").on(t.organizationId, t.seq),
    index("project_of_workspace").on(t.workspaceId, t.seq),
  ],
);

/** One row of the table. */
export type ProjectRow = typeof project.$inferSelect;
