// Base backups and WAL of databases, each in a repository of its own.
import { z } from "zod";
import { BaseBackup, BaseBackupReport } from "./base-backup.ts";
import { DatabaseName } from "./name.ts";
import { Nothing } from "./protocol.ts";

const OneDatabase = z.strictObject({ database: DatabaseName });
const OneBackup = OneDatabase.extend({ backup_id: z.uuid() });

/** The name of a restore point. */
export const PointName = z.string().regex(/^[\w-]{1,63}$/);

/** Something that is not as it should be with one database's backups. */
const BackupProblem = z.object({
  database: DatabaseName,
  kind: z.enum(["wal_late", "backup_late", "backup_failed", "store_late", "damaged"]),
  /** Since when it is so. */
  since: z.iso.datetime(),
  detail: z.string(),
});
export type BackupProblem = z.infer<typeof BackupProblem>;

/** How backups are made and looked at. The host takes them by itself as they become due. */
export const backupCommands = {
  /** Begins a base backup; with an id that is known, nothing. 409 while another one runs. */
  "base_backup.start": {
    input: OneBackup.extend({ type: z.enum(["full", "incr"]) }),
    report: Nothing,
  },
  /** What became of it; 404 for an id that was never asked for. */
  "base_backup.status": { input: OneBackup, report: BaseBackupReport },
  /** The base backups of a database, the oldest first; also of one that was removed. */
  base_backups: { input: OneDatabase, report: z.object({ base_backups: z.array(BaseBackup) }) },
  /** What is not as it should be; empty when all is well. */
  "backup.problems": { input: Nothing, report: z.object({ problems: z.array(BackupProblem) }) },
  /**
   * The spans in which every moment of a database can be recovered, the oldest first, from what is
   * really archived; brings the end of the last one to about now. Who asks about a moment that is
   * in the archive already does not wait for that. Also of a database that was removed.
   */
  recovery_window: {
    input: OneDatabase.extend({ about: z.iso.datetime().optional() }),
    report: z.object({
      spans: z.array(z.object({ from: z.iso.datetime(), to: z.iso.datetime() })),
    }),
  },
  /** Marks a point in a database's WAL by name. */
  "restore_point.create": {
    input: OneDatabase.extend({ name: PointName }),
    report: z.object({ lsn: z.string(), at: z.iso.datetime() }),
  },
} as const;
