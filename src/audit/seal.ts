// Links entries to each other, in the order of their commits. Law: an entry is linked once, to the
// one before it; that order is fixed, so two who link at once come to the same hashes.
import { and, asc, desc, eq, isNotNull, isNull, lt } from "drizzle-orm";
import { commit, type Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { genesis, hashOf } from "./hash.ts";
import { auditEntry } from "./table.ts";

// A batch of D1 holds as many statements as are short together.
const atOnce = 100;
const graceSeconds = 5;
// Each nudge is a call of its own, and a cron run may make a thousand of them.
const organizationsMax = 200;
const lane = /^audit:([\da-f-]{36})$/;

/** The lane in which an organization's entries are linked. */
export function sealLane(organizationId: string): string {
  return `audit:${organizationId}`;
}

/** The organization of such a lane; null for any other. */
export function organizationIn(name: string): string | null {
  return lane.exec(name)?.[1] ?? null;
}

/** Links every entry that is not yet. */
export async function sealEntries(
  context: Context,
  organizationId: string,
): Promise<{ readonly dueAt: null }> {
  while ((await sealSome(context, organizationId)) === atOnce);
  return { dueAt: null };
}

async function sealSome(context: Context, organizationId: string): Promise<number> {
  const isOwn = eq(auditEntry.organizationId, organizationId);
  const [last, rows] = await context.db.batch([
    context.db
      .select({ hash: auditEntry.hash })
      .from(auditEntry)
      .where(and(isOwn, isNotNull(auditEntry.hash)))
      .orderBy(desc(auditEntry.seq))
      .limit(1),
    context.db
      .select()
      .from(auditEntry)
      .where(and(isOwn, isNull(auditEntry.hash)))
      .orderBy(asc(auditEntry.seq))
      .limit(atOnce),
  ]);
  let previousHash = last[0]?.hash ?? genesis;
  const statements: Statement[] = [];
  for (const row of rows) {
    const hash = await hashOf(previousHash, row);
    const isOpen = and(eq(auditEntry.seq, row.seq), isNull(auditEntry.hash));
    statements.push(context.db.update(auditEntry).set({ previousHash, hash }).where(isOpen));
    previousHash = hash;
  }
  await commit(context, statements);
  return rows.length;
}

/** Nudges the lanes of entries whose nudge was lost. */
export async function nudgeSealers(context: Context): Promise<void> {
  const before = new Date(context.now().getTime() - graceSeconds * 1000);
  const late = await context.db
    .selectDistinct({ organizationId: auditEntry.organizationId })
    .from(auditEntry)
    .where(and(isNull(auditEntry.hash), lt(auditEntry.createdAt, before)))
    .limit(organizationsMax);
  for (const { organizationId } of late) await context.nudge(sealLane(organizationId));
}
