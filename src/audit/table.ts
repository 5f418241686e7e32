import { sql } from "drizzle-orm";
import { index, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { idColumn, seqColumn, timeColumn } from "../core/column.ts";

/**
 * Who did what: written in the batch that did it, then linked to the entry before it, and never
 * changed. Triggers of the migration hold that, whoever writes.
 */
export const auditEntry = sqliteTable(
  "audit_entry",
  {
    seq: seqColumn(),
    id: idColumn(),
    organizationId: text("organization_id").notNull(),
    /** The API key, and the first characters of it. */
    actorId: text("actor_id").notNull(),
    actorPrefix: text("actor_prefix").notNull(),
    /** Where the request came from. */
    address: text("address"),
    /** The call, as the API's description names it. */
    action: text("action").notNull(),
    resourceType: text("resource_type"),
    resourceId: text("resource_id"),
    /** JSON, kept as it was written: what the thing was, and what was asked for. */
    before: text("before"),
    after: text("after"),
    requestId: text("request_id").notNull(),
    createdAt: timeColumn("created_at").notNull(),
    /** Of the organization's entry before it, and of this one; null until they are linked. */
    previousHash: text("previous_hash"),
    hash: text("hash"),
  },
  (t) => [
    index("audit_entry_of_organization").on(t.organizationId, t.seq),
    index("audit_entry_of_resource").on(t.resourceId, t.seq),
    index("audit_entry_unsealed").on(t.organizationId, t.seq).where(sql`hash is null`),
    index("audit_entry_age").on(t.createdAt),
  ],
);

/** One row of the table. */
export type AuditRow = typeof auditEntry.$inferSelect;
