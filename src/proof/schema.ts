import { z } from "@hono/zod-openapi";
import { Time } from "../core/schema.ts";
import { type CertificateRow, certificateResults } from "./table.ts";

const Check = z.object({
  name: z.enum(["restore", "content", "indexes", "checksums", "repository"]).openapi({
    description:
      "`restore`: it was recovered to the point. `content`: rows and hashes of its tables are " +
      "those read at that point. `indexes`: pg_amcheck --heapallindexed --parent-check. " +
      "`checksums`: pg_checksums --check. `repository`: pgbackrest verify.",
  }),
  result: z.enum(["passed", "failed", "skipped"]),
  detail: z.string(),
  milliseconds: z.int(),
});

/** A certificate as it is answered: what was signed, and the signature. */
export const Certificate = z
  .object({
    format: z.literal(1),
    id: z.string(),
    verification_id: z.string(),
    organization_id: z.string(),
    workspace_id: z.string(),
    project_id: z.string(),
    database_id: z.string(),
    host_id: z.string(),
    result: z.enum(certificateResults).openapi({
      description: "`incomplete`: none of the checks failed, but one could not be made",
    }),
    backup: z.object({
      label: z.string().nullable(),
      repository: z.int().nullable(),
    }),
    restored_to: z.object({
      restore_point: z.string(),
      lsn: z.string(),
      at: Time,
      reached_at: z.string().nullable(),
      evidence: z.string().nullable(),
    }),
    manifest: z
      .object({
        tables: z.int(),
        rows: z.int(),
        tables_left_out: z.int(),
        sha256: z.string(),
      })
      .nullable()
      .openapi({ description: "What was in the database at that point" }),
    checks: z.array(Check),
    versions: z.object({ postgres: z.string(), pgbackrest: z.string(), host: z.string() }),
    started_at: Time,
    finished_at: Time,
    signature: z
      .object({ algorithm: z.literal("Ed25519"), key_id: z.string(), value: z.string() })
      .openapi({
        description:
          "Of all other fields as canonical JSON (RFC 8785), base64url; the keys are at " +
          "/.well-known/miosa-certificate-keys",
      }),
  })
  .openapi("RestoreCertificate");
type Certificate = z.infer<typeof Certificate>;

/** Renders a row: the very fields that were signed. */
export function renderCertificate({ document, keyId, signature }: CertificateRow): Certificate {
  return {
    ...JSON.parse(document),
    signature: { algorithm: "Ed25519", key_id: keyId, value: signature },
  };
}

/** What proves a backup: the newest certificate of a database that was restored from it. */
export const Proof = z.object({
  certificate_id: z.string(),
  result: z.enum(certificateResults),
  at: Time,
});

/** Renders the same. */
export function renderProof({
  id,
  result,
  createdAt,
}: Pick<CertificateRow, "id" | "result" | "createdAt">): z.infer<typeof Proof> {
  return { certificate_id: id, result, at: createdAt.toISOString() };
}
