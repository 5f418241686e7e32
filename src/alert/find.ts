import { and, count, desc, eq, isNotNull, lt } from "drizzle-orm";
import type { Context } from "../core/context.ts";
import type { PageRequest } from "../core/page.ts";
import { type AlertKind, alert, isOpen } from "./table.ts";

/** Which alerts of the list are wanted. */
export interface AlertFilter {
  readonly state: "open" | "resolved" | "all";
  readonly kind?: AlertKind | undefined;
}

/** A page of alerts, newest first, and how many there are. */
export async function listAlerts(
  context: Context,
  { state, kind }: AlertFilter,
  page: PageRequest,
) {
  const matches = and(
    { open: isOpen, resolved: isNotNull(alert.resolvedAt), all: undefined }[state],
    kind === undefined ? undefined : eq(alert.kind, kind),
  );
  const [rows, totals] = await context.db.batch([
    context.db
      .select()
      .from(alert)
      .where(and(matches, page.beforeSeq === null ? undefined : lt(alert.seq, page.beforeSeq)))
      .orderBy(desc(alert.seq))
      .limit(page.limit)
      .offset(page.offset),
    context.db.select({ total: count() }).from(alert).where(matches),
  ]);
  return { rows, total: totals[0]?.total ?? 0 };
}
