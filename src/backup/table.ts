import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { idColumn, seqColumn, timeColumn, timeColumns } from "../core/column.ts";

/** Kinds of base backups: all of a host, or what has changed since the last one. */
export const backupTypes = ["full", "incr"] as const;

/** A base backup this system had a host take. */
export const baseBackup = sqliteTable(
  "base_backup",
  {
    seq: seqColumn(),
    id: idColumn(),
    hostId: text("host_id").notNull(),
    type: text("type", { enum: backupTypes }).notNull(),
    state: text("state", { enum: ["running", "succeeded", "failed"] }).notNull(),
    /** Bytes of WAL ever written when it began. */
    walBytes: integer("wal_bytes").notNull(),
    endedAt: timeColumn("ended_at"),
    ...timeColumns(),
  },
  (t) => [index("base_backup_of_host").on(t.hostId, t.seq)],
);

/** One row of the table. */
export type BaseBackupRow = typeof baseBackup.$inferSelect;
