import { sql } from "drizzle-orm";
import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { idColumn, seqColumn, timeColumn, timeColumns } from "../core/column.ts";

/**
 * What a certificate says: every check passed; one could not be made, and none failed; one failed.
 */
export const certificateResults = ["passed", "incomplete", "failed"] as const;

/** A verification of a host's backups: some of its databases were restored to look at them. */
export const verification = sqliteTable(
  "verification",
  {
    seq: seqColumn(),
    id: idColumn(),
    hostId: text("host_id").notNull(),
    /** `succeeded` is that it was carried out, whatever was found. */
    state: text("state", { enum: ["running", "succeeded", "failed"] }).notNull(),
    /** How many databases it is about. */
    databases: integer("databases").notNull(),
    errorMessage: text("error_message"),
    endedAt: timeColumn("ended_at"),
    ...timeColumns(),
  },
  (t) => [index("verification_of_host").on(t.hostId, t.seq)],
);

/** One row of the table. */
export type VerificationRow = typeof verification.$inferSelect;

/** What a verification found about one database, signed. It outlives the database. */
export const certificate = sqliteTable(
  "certificate",
  {
    seq: seqColumn(),
    id: idColumn(),
    organizationId: text("organization_id").notNull(),
    workspaceId: text("workspace_id").notNull(),
    projectId: text("project_id").notNull(),
    databaseId: text("database_id").notNull(),
    hostId: text("host_id").notNull(),
    verificationId: text("verification_id").notNull(),
    result: text("result", { enum: certificateResults }).notNull(),
    /** The base backup it was restored from; null when none could be found. */
    backupLabel: text("backup_label"),
    /** The exact text that was signed: canonical JSON. */
    document: text("document").notNull(),
    keyId: text("key_id").notNull(),
    signature: text("signature").notNull(),
    createdAt: timeColumn("created_at").notNull(),
  },
  (t) => [
    index("certificate_of_database").on(t.databaseId, t.seq),
    index("certificate_failed").on(t.seq).where(sql`result = 'failed'`),
    index("certificate_age").on(t.createdAt),
  ],
);

/** One row of the table. */
export type CertificateRow = typeof certificate.$inferSelect;

/** Public halves of every key that has signed: they stay published after a rotation. */
export const certificateKey = sqliteTable("certificate_key", {
  seq: seqColumn(),
  kid: text("kid").notNull().unique(),
  x: text("x").notNull(),
  createdAt: timeColumn("created_at").notNull(),
});
