// From what a host found to a certificate: what, from which backup, to which point, what was looked
// at, with which tools. Law: what was not looked at never passes.
import { canonicalJson } from "../contract/canonical.ts";
import type { VerificationReport, VerifiedDatabase } from "../contract/verification.ts";
import type { Statement } from "../core/batch.ts";
import { signText } from "../core/certificate-key.ts";
import type { Context } from "../core/context.ts";
import type { DatabaseRow } from "../database/table.ts";
import { recordEvent } from "../webhook/event.ts";
import { type CertificateRow, certificate, certificateKey } from "./table.ts";

const format = 1;

/** What is certified, and about whom. */
export interface Certified {
  readonly id: string;
  readonly verificationId: string;
  readonly row: DatabaseRow;
  readonly found: VerifiedDatabase;
  readonly versions: NonNullable<VerificationReport["versions"]>;
}

/** What the checks come to; none at all is no pass. */
export function resultOf({ checks }: Pick<VerifiedDatabase, "checks">): CertificateRow["result"] {
  if (checks.some(({ result }) => result === "failed")) return "failed";
  const isWhole = checks.length > 0 && checks.every(({ result }) => result === "passed");
  return isWhole ? "passed" : "incomplete";
}

function documentOf({ id, verificationId, row, found, versions }: Certified) {
  const { lsn, at, name } = found.restore_point;
  return {
    format,
    id,
    verification_id: verificationId,
    organization_id: row.organizationId,
    workspace_id: row.workspaceId,
    project_id: row.projectId,
    database_id: row.id,
    host_id: row.hostId,
    result: resultOf(found),
    backup: { label: found.backup_label, repository: found.repository },
    restored_to: {
      restore_point: name,
      lsn,
      at,
      reached_at: found.reached_at,
      evidence: found.evidence,
    },
    manifest: found.manifest,
    checks: found.checks,
    versions,
    started_at: found.started_at,
    finished_at: found.finished_at,
  };
}

// Whoever owns a database is told when it did not come back whole.
function tellFailure(context: Context, { id, row, found }: Certified): Statement[] {
  if (resultOf(found) !== "failed") return [];
  const failed = found.checks.filter(({ result }) => result === "failed");
  const reason = failed.map(({ name, detail }) => `${name}: ${detail}`).join(" ");
  const data = { certificate_id: id, backup_id: found.backup_label, reason };
  return [recordEvent(context, "database.verification_failed", row, { data })];
}

/** Signs certificates and keeps them, with the public half of the key. */
export async function certify(
  context: Context,
  certified: readonly Certified[],
): Promise<Statement[]> {
  const { kid, publicKey } = context.certificateKey;
  const now = context.now();
  const keepKey = context.db
    .insert(certificateKey)
    .values({ kid, x: publicKey.x, createdAt: now })
    .onConflictDoNothing();
  const statements: Statement[] = [keepKey];
  for (const each of certified) {
    const { row, found, id, verificationId } = each;
    const document = canonicalJson(documentOf(each));
    const insert = context.db.insert(certificate).values({
      id,
      organizationId: row.organizationId,
      workspaceId: row.workspaceId,
      projectId: row.projectId,
      databaseId: row.id,
      hostId: row.hostId,
      verificationId,
      result: resultOf(found),
      backupLabel: found.backup_label,
      document,
      keyId: kid,
      signature: await signText(context.certificateKey, document),
      createdAt: now,
    });
    statements.push(insert, ...tellFailure(context, each));
  }
  return statements;
}
