import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { idColumn, seqColumn, timeColumn, timeColumns } from "../core/column.ts";

/** An archive of one database that its host keeps: made there, or sent by the caller. */
export const dump = sqliteTable(
  "dump",
  {
    seq: seqColumn(),
    id: idColumn(),
    organizationId: text("organization_id").notNull(),
    workspaceId: text("workspace_id").notNull(),
    projectId: text("project_id").notNull(),
    databaseId: text("database_id").notNull(),
    hostId: text("host_id").notNull(),
    /** The operation that makes it; null for one that was sent. */
    operationId: text("operation_id"),
    origin: text("origin", { enum: ["taken", "received"] }).notNull(),
    name: text("name"),
    state: text("state", { enum: ["pending", "running", "succeeded", "failed"] }).notNull(),
    /** Of the archive, so far or in all. */
    sizeBytes: integer("size_bytes").notNull().default(0),
    /** SHA-256 of the archive in hexadecimal, once it is whole. */
    checksum: text("checksum"),
    /** The program that made it, as it names itself. */
    madeWith: text("made_with"),
    errorMessage: text("error_message"),
    /** When it goes, whatever has become of its database. */
    expiresAt: timeColumn("expires_at").notNull(),
    finishedAt: timeColumn("finished_at"),
    ...timeColumns(),
  },
  (t) => [
    index("dump_of_database").on(t.databaseId, t.seq),
    index("dump_expiry").on(t.expiresAt),
    index("dump_of_host").on(t.hostId, t.seq),
  ],
);

/** One row of the table. */
export type DumpRow = typeof dump.$inferSelect;
