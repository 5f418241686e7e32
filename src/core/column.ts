import { sql } from "drizzle-orm";
import { integer, text } from "drizzle-orm/sqlite-core";

/**
 * Opaque words of the customer, copied to everything the thing owns. They grant access to nothing,
 * but a key may be limited to one external user's things.
 */
export interface Attribution {
  readonly externalWorkspaceId: string | null;
  readonly externalUserId: string | null;
  readonly externalProjectId: string | null;
  readonly metadata: Record<string, unknown>;
}

/** `seq`: assigned by the insert, so that cursors follow commit order. */
export const seqColumn = () => integer("seq").primaryKey({ autoIncrement: true });

/** `id`: UUIDv7, unique. */
export const idColumn = () => text("id").notNull().unique();

/** Milliseconds since 1970 in the table, a Date in code. */
export const timeColumn = (name: string) => integer(name, { mode: "timestamp_ms" });

/** `created_at` and `updated_at`. */
export const timeColumns = () => ({
  createdAt: timeColumn("created_at").notNull(),
  updatedAt: timeColumn("updated_at").notNull(),
});

/** The columns of an Attribution. */
export const attributionColumns = () => ({
  externalWorkspaceId: text("external_workspace_id"),
  externalUserId: text("external_user_id"),
  externalProjectId: text("external_project_id"),
  metadata: text("metadata", { mode: "json" })
    .$type<Record<string, unknown>>()
    .notNull()
    .default(sql`'{}'`),
});

/** Picks the attribution of a row, to hand it on to what the row owns. */
export function attributionOf(row: Attribution): Attribution {
  const { externalWorkspaceId, externalUserId, externalProjectId, metadata } = row;
  return { externalWorkspaceId, externalUserId, externalProjectId, metadata };
}
