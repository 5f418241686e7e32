// Recoveries: one database as it was, in a scratch cluster beside the live ones.
import { z } from "zod";
import { OneDump } from "./dump.ts";
import { TenantLogin } from "./login.ts";
import { MomentRequest } from "./moment.ts";
import { PreviewRequest } from "./preview.ts";
import { Nothing } from "./protocol.ts";

/** Which moment to recover, or which dump to take instead. */
export const RecoveryRequest = z.union([MomentRequest, OneDump]);
export type RecoveryRequest = z.infer<typeof RecoveryRequest>;

/** What a recovery could not use, though it would have been the better way. */
export const PassedOver = z.object({
  repository: z.union([z.literal(1), z.literal(2)]),
  /** The base backup it began with; null when not even a list of them could be read. */
  backup_label: z.string().nullable(),
  /** Which file, or what else was wrong with it. */
  problem: z.string(),
  /** A file of it is damaged or missing, which others who need it will meet as well. */
  is_damage: z.boolean(),
});
export type PassedOver = z.infer<typeof PassedOver>;

/** What a recovery has come to. */
export const RecoveryReport = z.object({
  recovery_id: z.string(),
  /** `ready`: its scratch cluster is paused at the target and takes reads. */
  state: z.enum(["waiting", "running", "ready", "failed"]),
  /** How many are to begin before it, and it; 0 once it has begun. */
  position: z.int().min(0),
  /** The step it is in, or was in when it failed. */
  step: z.string(),
  /** Milliseconds each finished step took. */
  step_milliseconds: z.record(z.string(), z.int()),
  /** What is fetched from the backup. */
  bytes_total: z.int().min(0),
  /** What of it is there. */
  bytes_restored: z.int().min(0),
  backup_label: z.string().nullable(),
  /** `filtered`: this one database's files alone; `stock`: as pgBackRest does it. */
  method: z.enum(["filtered", "stock"]).nullable(),
  /** What it reads from; 1 is beside the cluster, 2 the second one. */
  repository: z.union([z.literal(1), z.literal(2)]).nullable(),
  /** Where replay begins, and how far it is. */
  start_lsn: z.string().nullable(),
  replayed_lsn: z.string().nullable(),
  /** When the last commit was made that is there; microseconds. */
  reached_at: z.string().nullable(),
  /** The line of Postgres' log that says where recovery stopped. */
  evidence: z.string().nullable(),
  /** What was tried in vain before, in that order. */
  passed_over: z.array(PassedOver).default([]),
  /** The database's name at the target. */
  database: z.string().nullable(),
  error: z.string().nullable(),
  load: z
    .object({
      /** The database it is loaded into. */
      database: z.string(),
      state: z.enum(["running", "succeeded", "failed"]),
      error: z.string().nullable(),
    })
    .nullable(),
});
export type RecoveryReport = z.infer<typeof RecoveryReport>;

const OneRecovery = z.strictObject({ recovery_id: z.uuid() });

/** How they begin, what they come to and how they end. */
export const recoveryCommands = {
  /** Begins to recover one database into a scratch cluster; with an id that is known, nothing. */
  "recovery.start": {
    input: z.strictObject({ recovery_id: z.uuid(), request: RecoveryRequest }),
    report: Nothing,
  },
  /** What it has come to; 404 `unknown_recovery` also when the host was restarted meanwhile. */
  "recovery.status": { input: OneRecovery, report: RecoveryReport },
  /** Begins to load a ready one into an empty database, logged in as this role. */
  "recovery.load": {
    input: z.strictObject({ recovery_id: z.uuid(), into: TenantLogin }),
    report: Nothing,
  },
  /** Opens a ready one to one login, for reading; answers once both poolers know it. */
  "recovery.open": {
    input: z.strictObject({ recovery_id: z.uuid(), preview: PreviewRequest }),
    report: Nothing,
  },
  /** Ends it and removes its scratch cluster, whatever it does. */
  "recovery.end": { input: OneRecovery, report: Nothing },
} as const;
