import { asc, eq } from "drizzle-orm";
import type { Context } from "../core/context.ts";
import { notFound } from "../core/error.ts";
import { organization } from "./table.ts";

/** One row of the table. */
export type OrganizationRow = typeof organization.$inferSelect;

/** Every organization, oldest first. */
export function listOrganizations(context: Context): Promise<OrganizationRow[]> {
  return context.db.select().from(organization).orderBy(asc(organization.seq));
}

/** @throws ApiError 404 */
export async function findOrganization(context: Context, id: string): Promise<OrganizationRow> {
  const [row] = await context.db.select().from(organization).where(eq(organization.id, id));
  if (row === undefined) throw notFound("organization");
  return row;
}
