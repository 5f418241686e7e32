import { sql } from "drizzle-orm";
import { index, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { idColumn, seqColumn, timeColumn, timeColumns } from "../core/column.ts";

/** What an alert may be about. */
export const alertKinds = [
  /** An operation is past its deadline and goes on; subject: its id. */
  "operation_overdue",
  /** An operation is past its deadline and cannot be taken back; subject: its id. */
  "undo_failing",
  /** A nudge was delivered in vain too often; subject: its lane, or what stands for none. */
  "dead_nudge",
  /** A row's database is not on its host; subject: the row's id. */
  "database_missing",
  /** What a host has is not what its row asks for, and stays so; subject: the row's id. */
  "repair_failed",
  /** A host does not answer; subject: its id. */
  "host_silent",
  /** WAL waits to be archived; subject: a database's id, or a host's with `/store`. */
  "archive_late",
  /** A base backup failed, or none was taken for too long; subject: the database's id. */
  "backup_failed",
  /** Something of a backup is damaged; subject: the database's id, and a slash and its label. */
  "backup_damaged",
  /** A backup was not proved by restoring; subject: a database's id, or its host's. */
  "verification_failed",
  /** A host has what no row names; subject: the host's id, a slash and the name. */
  "orphan",
  /**
   * A program of a host crashed, hung or was restarted; subject: the host's id, a slash, which one
   * or, of an instance, its database.
   */
  "server_failed",
  /** Another host answers where one was registered; subject: its id. */
  "host_is_another",
  /** The disk of a host has a tenth left; subject: its id. */
  "disk_nearly_full",
  /** A host speaks another version of the protocol; subject: its id. */
  "protocol_differs",
  /** The Worker's runtime was started again; subject: `worker`. */
  "worker_restarted",
  /** Automatic repairs are held; subject: `installation`. */
  "repairs_held",
  /** A host keeps an archive that no row names; subject: the host's id, a slash and its id. */
  "orphan_dump",
  /** An endpoint failed for days and was switched off; subject: its id. */
  "webhook_failed",
] as const;

/** One kind of alert. */
export type AlertKind = (typeof alertKinds)[number];

/** As the partial index says it, word for word, so that SQLite knows it for the same. */
export const isOpen = sql`resolved_at is null`;

/** Something an operator should look at; it resolves itself once its cause is gone. */
export const alert = sqliteTable(
  "alert",
  {
    seq: seqColumn(),
    id: idColumn(),
    kind: text("kind", { enum: alertKinds }).notNull(),
    /** What it is about: an id, a name on a host. One open alert of a kind for each. */
    subject: text("subject").notNull(),
    message: text("message").notNull(),
    details: text("details", { mode: "json" }).$type<Record<string, unknown>>().notNull(),
    resolvedAt: timeColumn("resolved_at"),
    ...timeColumns(),
  },
  (t) => [
    uniqueIndex("alert_open").on(t.kind, t.subject).where(isOpen),
    index("alert_age").on(t.resolvedAt, t.seq),
  ],
);

/** One row of the table. */
export type AlertRow = typeof alert.$inferSelect;
