// Recoveries: an instance brought to a moment beside the one that lives, and what becomes of it.
import { z } from "zod";
import { DatabaseName } from "../database.ts";
import { Nothing } from "../protocol.ts";
import { PassedOver } from "../recovery.ts";
import { PointName } from "./backup.ts";
import { DatabaseSpec, Login } from "./spec.ts";

/** Up to where: the last commit not after it is the last there. */
const RecoveryTarget = z.union([
  z.strictObject({ time: z.iso.datetime() }),
  /** A restore point, and about when it was made. */
  z.strictObject({ name: PointName, at: z.iso.datetime() }),
  /** The end of this base backup. */
  z.strictObject({ backup: z.string().regex(/^[\w-]{1,40}$/) }),
]);

/** Which moment of a database, also of one that was removed; or which dump to load instead. */
export const RecoveryRequest = z.union([
  z.strictObject({ database: DatabaseName, target: RecoveryTarget }),
  z.strictObject({ database: DatabaseName, dump_id: z.uuid() }),
]);
export type RecoveryRequest = z.infer<typeof RecoveryRequest>;

/** What a recovery has come to. */
const RecoveryReport = z.object({
  recovery_id: z.uuid(),
  /** `ready`: its instance stands at the target, and nobody is led to it. */
  state: z.enum(["waiting", "running", "ready", "failed"]),
  /** How many are to begin before it, and it; 0 once it has begun. */
  position: z.int().min(0),
  /** The step it is in, or was in when it failed. */
  step: z.string(),
  /** Milliseconds each finished step took. */
  step_milliseconds: z.record(z.string(), z.int()),
  bytes_total: z.int().min(0),
  bytes_restored: z.int().min(0),
  backup_label: z.string().nullable(),
  /** What it reads from; 1 is beside the instances, 2 the store. */
  repository: z.union([z.literal(1), z.literal(2)]).nullable(),
  start_lsn: z.string().nullable(),
  replayed_lsn: z.string().nullable(),
  /** When the last commit was made that is there; microseconds. */
  reached_at: z.string().nullable(),
  /** The line of Postgres' log that says where recovery stopped. */
  evidence: z.string().nullable(),
  /** What was tried in vain before, in that order. */
  passed_over: z.array(PassedOver).default([]),
  error: z.string().nullable(),
});
export type RecoveryReport = z.infer<typeof RecoveryReport>;

const OneRecovery = z.strictObject({ recovery_id: z.uuid() });

/** How a recovered database is opened for reading, as it is, through both poolers. */
const PreviewRequest = z.strictObject({
  /** What clients call it; the poolers know it by this name alone. */
  name: DatabaseName,
  login: Login,
  /** It is removed that long after it was first opened, with or without being asked to. */
  keep_seconds: z.int().min(1).max(86_400),
  limits: DatabaseSpec.pick({ transaction: true, session: true, allowed_addresses: true }),
});
export type PreviewRequest = z.infer<typeof PreviewRequest>;

const Former = z.object({
  /** The instance that was put aside by it; stopped, and kept until it is removed. */
  instance: z.string(),
});

/** How they begin, what they come to and how they end. All may be sent twice. */
export const recoveryCommands = {
  /**
   * Begins a recovery; with an id that is known, nothing. `for` says whether its instance takes
   * writes: a `preview` stays at the target and is read.
   */
  "recovery.start": {
    input: z.strictObject({
      recovery_id: z.uuid(),
      request: RecoveryRequest,
      for: z.enum(["preview", "restore"]),
    }),
    report: Nothing,
  },
  /** What it has come to; 404 `unknown_recovery` also when the host was restarted meanwhile. */
  "recovery.status": { input: OneRecovery, report: RecoveryReport },
  /** Opens a ready `preview` to one login, for reading; answers once both poolers know it. */
  "recovery.open": {
    input: z.strictObject({ recovery_id: z.uuid(), preview: PreviewRequest }),
    report: Nothing,
  },
  /**
   * Puts a ready `restore` in the place of the database's instance, with the spec as it is now.
   * Clients wait meanwhile; sessions of the session port end.
   */
  "recovery.exchange": { input: OneRecovery, report: Former },
  /** Makes a ready `restore` a database of its own. */
  "recovery.adopt": {
    input: z.strictObject({ recovery_id: z.uuid(), database: DatabaseName, spec: DatabaseSpec }),
    report: Nothing,
  },
  /**
   * Copies tables of a ready one into its living database, each under a name that is not taken:
   * 409 `table_exists`, and nothing is copied, when one is.
   */
  "recovery.copy_tables": {
    input: z.strictObject({
      recovery_id: z.uuid(),
      tables: z
        .array(
          z.strictObject({
            schema: z.string().min(1).max(63),
            name: z.string().min(1).max(63),
            /** The name it gets; its own when absent. */
            as: z.string().min(1).max(63).optional(),
          }),
        )
        .min(1)
        .max(100),
    }),
    report: z.object({ rows: z.array(z.int().min(0)) }),
  },
  /** Ends it and removes its instance, unless that serves or was put aside. */
  "recovery.end": { input: OneRecovery, report: Nothing },
  /** Puts an instance that was put aside in the place of the one that serves, and that aside. */
  "aside.bring_back": {
    input: z.strictObject({ database: DatabaseName, instance: z.string().max(100) }),
    report: Former,
  },
  /** Removes an instance that was put aside. */
  "aside.remove": {
    input: z.strictObject({ database: DatabaseName, instance: z.string().max(100) }),
    report: Nothing,
  },
} as const;
