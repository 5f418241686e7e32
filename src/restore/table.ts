import { sql } from "drizzle-orm";
import { index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { PassedOver } from "../contract/recovery.ts";
import { idColumn, seqColumn, timeColumn, timeColumns } from "../core/column.ts";

/** How far a recovery is, as its host told it last. */
export interface Progress {
  readonly step: string;
  /** How many recoveries begin before it, and it; 0 once it has begun. */
  readonly position: number;
  readonly bytes_restored: number;
  readonly start_lsn: string | null;
  readonly replayed_lsn: string | null;
}

/** What a restore makes of a moment. */
export const restoreModes = ["new", "in_place", "preview", "tables"] as const;

/** What it is made from: base backup and WAL, a dump, a caller's archive, a branch. */
export const restoreSources = ["recovery", "dump", "import", "branch"] as const;

/** A table that is brought back beside the living one. */
export interface RestoredTable {
  readonly schema: string;
  readonly name: string;
  /** What it is called now. */
  readonly as: string;
  /** Null until it is there. */
  readonly rows: number | null;
}

/** One database brought back to a moment. */
export const restore = sqliteTable(
  "restore",
  {
    seq: seqColumn(),
    id: idColumn(),
    organizationId: text("organization_id").notNull(),
    workspaceId: text("workspace_id").notNull(),
    projectId: text("project_id").notNull(),
    sourceDatabaseId: text("source_database_id").notNull(),
    /** What it made or changed. */
    databaseId: text("database_id").notNull(),
    hostId: text("host_id").notNull(),
    operationId: text("operation_id").notNull(),
    mode: text("mode", { enum: restoreModes }).notNull(),
    state: text("state", { enum: ["pending", "running", "succeeded", "failed"] }).notNull(),
    /** What it is made from. */
    source: text("source", { enum: restoreSources }).notNull().default("recovery"),
    /** The target as it was asked for, in words. */
    requestedTarget: text("requested_target").notNull(),
    /** When the last commit was made that is there; microseconds. */
    reachedAt: text("reached_at"),
    /** The line of Postgres' log that says where recovery stopped. */
    evidence: text("evidence"),
    backupLabel: text("backup_label"),
    /** Which repository it was recovered from: 1 is beside the instances, 2 the store. */
    repository: integer("repository"),
    bytesTotal: integer("bytes_total"),
    stepMilliseconds: text("step_milliseconds", { mode: "json" })
      .$type<Record<string, number>>()
      .notNull()
      .default({}),
    /** What its recovery could not use, in the order it was tried. */
    passedOver: text("passed_over", { mode: "json" })
      .$type<readonly PassedOver[]>()
      .notNull()
      .default([]),
    progress: text("progress", { mode: "json" }).$type<Progress>(),
    errorMessage: text("error_message"),
    /** The preview it was promoted from, when there was one; it stands until this has succeeded. */
    previewId: text("preview_id"),
    /** Of a preview: its place among those that stand in a host; null once it has ended. */
    previewSlot: integer("preview_slot"),
    /** What it is called in the poolers, and its one login there. */
    previewName: text("preview_name"),
    previewLogin: text("preview_login"),
    passwordSealed: text("password_sealed"),
    expiresAt: timeColumn("expires_at"),
    endedAt: timeColumn("ended_at"),
    /** What is brought back beside the living tables, and, once it is there, how many rows. */
    tables: text("tables", { mode: "json" }).$type<readonly RestoredTable[]>(),
    /** What an exchange put aside, by the name its host gave it. */
    asideInstance: text("aside_instance"),
    /** Until then it is kept; null when it is gone, or there is none. */
    asideUntil: timeColumn("aside_until"),
    undoneAt: timeColumn("undone_at"),
    finishedAt: timeColumn("finished_at"),
    ...timeColumns(),
  },
  (t) => [
    index("restore_of_source").on(t.sourceDatabaseId, t.seq),
    index("restore_aside").on(t.asideUntil),
    uniqueIndex("restore_preview_slot").on(t.hostId, t.previewSlot),
    uniqueIndex("restore_preview_of_source")
      .on(t.sourceDatabaseId)
      .where(sql`preview_slot is not null`),
    uniqueIndex("restore_promoted_from")
      .on(t.previewId)
      .where(sql`state in ('pending', 'running', 'succeeded')`),
  ],
);

/** One row of the table. */
export type RestoreRow = typeof restore.$inferSelect;

/** A moment in the WAL that was given a name. */
export const restorePoint = sqliteTable(
  "restore_point",
  {
    seq: seqColumn(),
    id: idColumn(),
    databaseId: text("database_id").notNull(),
    name: text("name").notNull(),
    /** Its name in the WAL, where two moments of one name could not be told apart. */
    walName: text("wal_name").notNull(),
    lsn: text("lsn").notNull(),
    at: timeColumn("at").notNull(),
    createdAt: timeColumn("created_at").notNull(),
  },
  (t) => [index("restore_point_of_database").on(t.databaseId, t.seq)],
);

/** One row of the table. */
export type RestorePointRow = typeof restorePoint.$inferSelect;
