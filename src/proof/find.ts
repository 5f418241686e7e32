import { and, asc, count, desc, eq, lt } from "drizzle-orm";
import type { Actor } from "../core/actor.ts";
import { type PublicKey, publicKeyOf } from "../core/certificate-key.ts";
import type { Context } from "../core/context.ts";
import { notFound } from "../core/error.ts";
import type { PageRequest } from "../core/page.ts";
import { isOfUser } from "../database/find.ts";
import { type CertificateRow, certificate, certificateKey } from "./table.ts";

// Base backups are kept for a month, and a database is verified each week.
const proofsMax = 100;

function visibleTo(context: Context, actor: Actor) {
  return and(
    eq(certificate.organizationId, actor.organizationId),
    actor.workspaceId === null ? undefined : eq(certificate.workspaceId, actor.workspaceId),
    isOfUser(context, actor, certificate.databaseId),
  );
}

/** @throws ApiError 404 also when it is another organization's. */
export async function findCertificate(
  context: Context,
  actor: Actor,
  id: string,
): Promise<CertificateRow> {
  const [row] = await context.db
    .select()
    .from(certificate)
    .where(and(visibleTo(context, actor), eq(certificate.id, id)));
  if (row === undefined) throw notFound("certificate");
  return row;
}

/** A page of the certificates of a database, newest first, and how many there are. */
export async function listCertificates(
  context: Context,
  actor: Actor,
  databaseId: string,
  page: PageRequest,
) {
  const matches = and(visibleTo(context, actor), eq(certificate.databaseId, databaseId));
  const before = page.beforeSeq === null ? undefined : lt(certificate.seq, page.beforeSeq);
  const [rows, totals] = await context.db.batch([
    context.db
      .select()
      .from(certificate)
      .where(and(matches, before))
      .orderBy(desc(certificate.seq))
      .limit(page.limit)
      .offset(page.offset),
    context.db.select({ total: count() }).from(certificate).where(matches),
  ]);
  return { rows, total: totals[0]?.total ?? 0 };
}

/** The newest certificate a database has from each base backup, by the backup's label. */
export async function proofsOf(context: Context, databaseId: string) {
  const { id, result, createdAt, backupLabel } = certificate;
  const rows = await context.db
    .select({ id, result, createdAt, backupLabel })
    .from(certificate)
    .where(eq(certificate.databaseId, databaseId))
    .orderBy(desc(certificate.seq))
    .limit(proofsMax);
  return new Map(rows.reverse().map((row) => [row.backupLabel, row]));
}

/** Public halves of all keys that have signed, and of the one that signs now; it is the last. */
export async function publishedKeys(context: Context): Promise<PublicKey[]> {
  const rows = await context.db.select().from(certificateKey).orderBy(asc(certificateKey.seq));
  const { publicKey } = context.certificateKey;
  return [...rows.filter(({ kid }) => kid !== publicKey.kid).map(publicKeyOf), publicKey];
}
