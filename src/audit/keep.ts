import { lt, sql } from "drizzle-orm";
import type { Context } from "../core/context.ts";
import { auditEntry } from "./table.ts";

/** Thirteen months: a yearly audit sees its whole year. A trigger of the migration holds to it. */
export const keptDays = 400;

const dayMilliseconds = 86_400_000;
const rowsMax = 5000;

/** Entries from before this are out of date. */
export function keptSince(context: Pick<Context, "now">): Date {
  return new Date(context.now().getTime() - keptDays * dayMilliseconds);
}

/**
 * Deletes entries that are out of date, some at a time. The last of them stays: that it is so old
 * shows that those before it went by right.
 */
export async function purgeEntries(context: Context): Promise<void> {
  const since = keptSince(context);
  const old = context.db
    .select({ seq: auditEntry.seq })
    .from(auditEntry)
    .where(
      sql`${lt(auditEntry.createdAt, since)} and hash is not null and exists (
        select 1 from audit_entry later
        where later.organization_id = ${auditEntry.organizationId}
          and later.seq > ${auditEntry.seq} and later.created_at < ${since.getTime()}
          and later.hash is not null
      )`,
    )
    .orderBy(auditEntry.seq)
    .limit(rowsMax);
  await context.db.delete(auditEntry).where(sql`${auditEntry.seq} in ${old}`);
}
