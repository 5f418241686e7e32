// Verifications: databases that are recovered to be looked at.
import { z } from "zod";
import { DatabaseName } from "./name.ts";
import { Nothing } from "./protocol.ts";

/** What is looked at when a backup is verified; in this order. */
const checkNames = ["restore", "content", "indexes", "checksums", "repository"] as const;

/** One look at what was restored; `skipped` when it could not be taken, and `detail` says why. */
const VerificationCheck = z.object({
  name: z.enum(checkNames),
  result: z.enum(["passed", "failed", "skipped"]),
  /** What was compared and what was found; of failures the file or the table. */
  detail: z.string(),
  milliseconds: z.int().min(0),
});
export type VerificationCheck = z.infer<typeof VerificationCheck>;

/** One database that was recovered to be looked at. */
const VerifiedDatabase = z.object({
  database_id: z.uuid(),
  /** Up to where it was recovered. */
  restore_point: z.object({ name: z.string(), lsn: z.string(), at: z.iso.datetime() }),
  /** When the last commit was made that is there; microseconds. */
  reached_at: z.string().nullable(),
  /** The line of Postgres' log that says where recovery stopped. */
  evidence: z.string().nullable(),
  backup_label: z.string().nullable(),
  method: z.enum(["filtered", "stock"]).nullable(),
  repository: z.union([z.literal(1), z.literal(2)]).nullable(),
  /** What was in it at the restore point; null when nobody could look. */
  manifest: z
    .object({
      /** Tables and rows that were compared, and tables that were not. */
      tables: z.int().min(0),
      rows: z.int().min(0),
      tables_left_out: z.int().min(0),
      /** Of the lines `<table> <rows> <hash>`, in hexadecimal. */
      sha256: z.string().length(64),
    })
    .nullable(),
  /** One of each name. */
  checks: z.array(VerificationCheck),
  started_at: z.iso.datetime(),
  finished_at: z.iso.datetime(),
});
export type VerifiedDatabase = z.infer<typeof VerifiedDatabase>;

/** What a verification has come to. */
export const VerificationReport = z.object({
  /** `succeeded` is that all was looked at, whatever was found. */
  state: z.enum(["running", "succeeded", "failed"]),
  /** How many databases were recovered by now. */
  done: z.int().min(0),
  /** Why it failed. */
  error: z.string().nullable(),
  /** Once it succeeded, as the programs say. */
  versions: z.object({ postgres: z.string(), pgbackrest: z.string(), host: z.string() }).nullable(),
  /** Once it succeeded. */
  databases: z.array(VerifiedDatabase),
});
export type VerificationReport = z.infer<typeof VerificationReport>;

/** Databases of one verification; each is recovered by itself. */
export const verifiedMax = 50;

const OneVerification = z.strictObject({ verification_id: z.uuid() });

/** How they begin, what they come to and how they end. */
export const verificationCommands = {
  /** Begins to recover databases and to look at what came back; with a known id, nothing. */
  "verification.start": {
    input: z.strictObject({
      verification_id: z.uuid(),
      /** The id is the control plane's own, to be answered with. */
      databases: z
        .array(z.strictObject({ database_id: z.uuid(), database: DatabaseName }))
        .min(1)
        .max(verifiedMax),
    }),
    report: Nothing,
  },
  /** What it has come to; 404 `unknown_verification` also when the host was restarted meanwhile. */
  "verification.status": { input: OneVerification, report: VerificationReport },
  /** Ends it, whatever it does, and removes all of it. */
  "verification.end": { input: OneVerification, report: Nothing },
} as const;
