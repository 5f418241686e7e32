// Base backups, each of one database.
import { z } from "zod";

/** A base backup in one of a database's repositories. */
export const BaseBackup = z.object({
  /** pgBackRest's name for it. */
  label: z.string(),
  /** 1 is beside the instance, 2 the store. */
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
