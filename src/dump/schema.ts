import { z } from "@hono/zod-openapi";
import type { BaseBackup } from "../contract/base-backup.ts";
import { Label, optional, Time, wholeNumber } from "../core/schema.ts";
import { Proof, renderProof } from "../proof/schema.ts";
import type { CertificateRow } from "../proof/table.ts";
import { dumpName } from "./name.ts";
import type { DumpRow } from "./table.ts";
import { keptDays } from "./take.ts";

/** A backup as it is answered. */
export const DatabaseBackup = z
  .object({
    id: z.string().openapi({ example: "bkp_019a7c5e-8f00-7000-8000-000000000000" }),
    database_id: z.string(),
    type: z.enum(["base", "logical"]).openapi({
      description: "`base` is taken by its host as it becomes due; `logical` is a dump, on demand.",
    }),
    /** Of a base backup. */
    base_type: z.enum(["full", "diff", "incr"]).nullable(),
    name: z.string().nullable(),
    state: z.enum(["pending", "running", "succeeded", "failed"]),
    status: z.string(),
    operation_id: z.string().nullable(),
    repository: z.int(),
    size_bytes: z.int().nullable(),
    repository_bytes: z.int().nullable(),
    checksum: z.string().nullable().openapi({ description: "SHA-256 of the archive." }),
    made_with: z.string().nullable(),
    proof: Proof.nullable().openapi({
      description: "Of a base backup: the newest certificate of a restore of this database from it",
    }),
    error_message: z.string().nullable(),
    started_at: Time,
    completed_at: Time.nullable(),
    created_at: Time,
    expires_at: Time.nullable(),
  })
  .openapi("DatabaseBackup");
type DatabaseBackup = z.infer<typeof DatabaseBackup>;

/** Renders a base backup. */
export function renderBaseBackup(
  databaseId: string,
  backup: BaseBackup,
  proof: Pick<CertificateRow, "id" | "result" | "createdAt"> | undefined,
): DatabaseBackup {
  return {
    id: backup.label,
    database_id: databaseId,
    type: "base",
    base_type: backup.type,
    name: null,
    state: "succeeded",
    status: "succeeded",
    operation_id: null,
    repository: backup.repository,
    size_bytes: backup.database_bytes,
    repository_bytes: backup.repository_bytes,
    checksum: null,
    made_with: null,
    proof: proof === undefined ? null : renderProof(proof),
    error_message: null,
    started_at: backup.started_at,
    completed_at: backup.stopped_at,
    created_at: backup.started_at,
    expires_at: null,
  };
}

/** Renders a row. */
export function renderDump(row: DumpRow): DatabaseBackup {
  const isWhole = row.state === "succeeded";
  return {
    id: dumpName(row.id),
    database_id: row.databaseId,
    type: "logical",
    base_type: null,
    name: row.name,
    state: row.state,
    status: row.state,
    operation_id: row.operationId,
    repository: 1,
    size_bytes: isWhole ? row.sizeBytes : null,
    repository_bytes: row.sizeBytes,
    checksum: row.checksum,
    made_with: row.madeWith,
    proof: null,
    error_message: row.errorMessage,
    started_at: row.createdAt.toISOString(),
    completed_at: row.finishedAt?.toISOString() ?? null,
    created_at: row.createdAt.toISOString(),
    expires_at: row.expiresAt.toISOString(),
  };
}

/** Body of `backups.create`. */
export const CreateBackup = z
  .strictObject({
    name: optional(Label),
    retention_days: optional(wholeNumber(keptDays)),
  })
  .openapi("CreateBackup", { example: { name: "before the migration" } });

/** A link to an archive, for whoever has it. */
export const BackupLink = z.object({ url: z.string(), expires_at: Time }).openapi("BackupLink");
