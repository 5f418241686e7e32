// Base backups of a whole cluster.
import { z } from "zod";
import { Nothing } from "./protocol.ts";

/** A base backup in one of a cluster's repositories. */
export const BaseBackup = z.object({
  /** pgBackRest's name for it. */
  label: z.string(),
  /** 1 is beside the cluster, 2 the second one. */
  repository: z.int().min(1).max(2),
  type: z.enum(["full", "diff", "incr"]),
  started_at: z.iso.datetime(),
  stopped_at: z.iso.datetime(),
  database_bytes: z.int().min(0),
  repository_bytes: z.int().min(0),
});
export type BaseBackup = z.infer<typeof BaseBackup>;

/** What a base backup that was asked for has come to. */
export const BaseBackupReport = z.object({
  state: z.enum(["running", "succeeded", "failed"]),
  started_at: z.iso.datetime(),
  ended_at: z.iso.datetime().nullable(),
  error: z.string().nullable(),
});
export type BaseBackupReport = z.infer<typeof BaseBackupReport>;

const OneBackup = z.strictObject({ backup_id: z.uuid() });

/** How they are made, looked at and taken away. */
export const baseBackupCommands = {
  /** Begins a base backup; with an id that is known, nothing. 409 while another one runs. */
  "base_backup.start": {
    input: OneBackup.extend({ type: z.enum(["full", "incr"]) }),
    report: Nothing,
  },
  /** What became of it; 404 for an id that was never asked for. */
  "base_backup.status": { input: OneBackup, report: BaseBackupReport },
  /** The base backups there are, the oldest first. */
  base_backups: { input: Nothing, report: z.object({ base_backups: z.array(BaseBackup) }) },
  /** Takes away what neither window needs; false while a recovery holds it. */
  "base_backup.expire": { input: Nothing, report: z.object({ is_done: z.boolean() }) },
} as const;
