// What an organization's plan puts in place of the published limits, by size. The words of the
// limits belong to databases; here they are numbers under names.
import { eq, type SQL, sql } from "drizzle-orm";
import type { AnySQLiteColumn } from "drizzle-orm/sqlite-core";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { organization } from "./table.ts";

/** Numbers by name, by size. */
export type PlanLimits = Record<string, Record<string, number>>;

/** The plan's limits of one size, as an expression over values or columns. */
export function planLimitsOf(
  organizationId: string | AnySQLiteColumn,
  size: string | AnySQLiteColumn,
): SQL<string> {
  return sql<string>`(select coalesce(json_extract(o.plan_limits, '$.' || ${size}), '{}')
    from organization o where o.id = ${organizationId})`;
}

/** Gives an organization another plan. */
export function setPlan(
  context: Context,
  organizationId: string,
  planLimits: PlanLimits,
): Statement {
  return context.db
    .update(organization)
    .set({ planLimits, updatedAt: context.now() })
    .where(eq(organization.id, organizationId));
}
