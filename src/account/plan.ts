// What an organization's plan puts in place of the published limits, by size. The words of the
// limits belong to databases; here they are numbers under names.
import { eq, type SQL, sql } from "drizzle-orm";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { notFound } from "../core/error.ts";
import { organization } from "./table.ts";

/** Numbers by name, by size. */
export type PlanLimits = Record<string, Record<string, number>>;

/** The plan's limits of an organization. @throws ApiError 404 */
export async function planOf(context: Context, organizationId: string): Promise<PlanLimits> {
  const [row] = await context.db
    .select({ planLimits: organization.planLimits })
    .from(organization)
    .where(eq(organization.id, organizationId));
  if (row === undefined) throw notFound("organization");
  return row.planLimits;
}

/** The plan's limits of one size, as an expression for the insert of what they are for. */
export function planLimitsOf(organizationId: string, size: string): SQL {
  return sql`(select coalesce(json_extract(plan_limits, ${`$.${size}`}), '{}')
    from organization where id = ${organizationId})`;
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
