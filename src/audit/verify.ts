// Walks the links of an organization's entries. What does not fit is named; nothing is repaired.
import { and, asc, count, eq, gt, isNotNull, isNull } from "drizzle-orm";
import type { Context } from "../core/context.ts";
import { invalid } from "../core/error.ts";
import { genesis, hashOf } from "./hash.ts";
import { keptSince } from "./keep.ts";
import { type AuditRow, auditEntry } from "./table.ts";

const atOnce = 500;
// About a second of work.
const perCallMax = 10_000;

/** How far the links hold. */
export interface Verification {
  readonly checked: number;
  /** The last entry that holds; null when the very first does not, or there is none. */
  readonly upTo: AuditRow | null;
  readonly broken: { readonly row: AuditRow; readonly reason: string } | null;
  /** The end was reached, or what is broken. */
  readonly isComplete: boolean;
  /** Entries so new that they are not linked yet. */
  readonly unsealed: number;
}

/**
 * Checks entries after the one numbered `afterSeq`, from the oldest that is kept when null.
 * @throws ApiError 422 when the entry to go on after is not there
 */
export async function verifyEntries(
  context: Context,
  organizationId: string,
  afterSeq: number | null,
): Promise<Verification> {
  let upTo = afterSeq === null ? null : await entryAt(context, organizationId, afterSeq);
  let checked = 0;
  const unsealed = await countUnsealed(context, organizationId);
  while (checked < perCallMax) {
    const rows = await pageAfter(context, organizationId, upTo?.seq ?? 0);
    for (const row of rows) {
      const reason = await faultOf(context, row, upTo);
      const broken = reason === null ? null : { row, reason };
      if (broken !== null) return { checked, upTo, broken, isComplete: true, unsealed };
      upTo = row;
      checked++;
    }
    if (rows.length < atOnce) return { checked, upTo, broken: null, isComplete: true, unsealed };
  }
  return { checked, upTo, broken: null, isComplete: false, unsealed };
}

// Up to the last one that is linked: what is not linked before that is a fault.
async function pageAfter(context: Context, organizationId: string, seq: number) {
  const isOwn = eq(auditEntry.organizationId, organizationId);
  const rows = await context.db
    .select()
    .from(auditEntry)
    .where(and(isOwn, gt(auditEntry.seq, seq)))
    .orderBy(asc(auditEntry.seq))
    .limit(atOnce);
  const open = rows.findIndex(({ hash }) => hash === null);
  if (open === -1) return rows;
  const [later] = await context.db
    .select({ seq: auditEntry.seq })
    .from(auditEntry)
    .where(and(isOwn, gt(auditEntry.seq, rows[open]?.seq ?? 0), isNotNull(auditEntry.hash)))
    .limit(1);
  return later === undefined ? rows.slice(0, open) : rows;
}

async function faultOf(
  context: Context,
  row: AuditRow,
  before: AuditRow | null,
): Promise<string | null> {
  if (row.hash === null || row.previousHash === null)
    return "It is not linked, but a later one is.";
  if (before !== null && row.previousHash !== before.hash) {
    return "It is not linked to the entry before it: one was taken away, added or moved.";
  }
  const isFirst = row.previousHash === genesis || row.createdAt < keptSince(context);
  if (before === null && !isFirst) return "Entries before it were taken away.";
  const isWhole = (await hashOf(row.previousHash, row)) === row.hash;
  return isWhole ? null : "What it says was changed.";
}

async function entryAt(context: Context, organizationId: string, seq: number): Promise<AuditRow> {
  const [row] = await context.db
    .select()
    .from(auditEntry)
    .where(and(eq(auditEntry.organizationId, organizationId), eq(auditEntry.seq, seq)));
  if (row !== undefined) return row;
  throw invalid("cursor", "names an entry that is not there; begin without a cursor.");
}

async function countUnsealed(context: Context, organizationId: string): Promise<number> {
  const [found] = await context.db
    .select({ n: count() })
    .from(auditEntry)
    .where(and(eq(auditEntry.organizationId, organizationId), isNull(auditEntry.hash)));
  return found?.n ?? 0;
}
