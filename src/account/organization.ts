import { asc, eq } from "drizzle-orm";
import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { ApiError, notFound } from "../core/error.ts";
import type { OrganizationId } from "../core/id.ts";
import { organization } from "./table.ts";

/** One row of the table. */
export type OrganizationRow = typeof organization.$inferSelect;

/** Every organization, oldest first. */
export function listOrganizations(context: Context): Promise<OrganizationRow[]> {
  return context.db.select().from(organization).orderBy(asc(organization.seq));
}

/** The id of the operator's organization, the first there was; null before there is any. */
export async function operatorOrganization(context: Context): Promise<OrganizationId | null> {
  const [first] = await context.db
    .select({ id: organization.id })
    .from(organization)
    .orderBy(asc(organization.seq))
    .limit(1);
  return (first?.id as OrganizationId | undefined) ?? null;
}

/** @throws ApiError 404 */
export async function findOrganization(context: Context, id: string): Promise<OrganizationRow> {
  const [row] = await context.db.select().from(organization).where(eq(organization.id, id));
  if (row === undefined) throw notFound("organization");
  return row;
}

/**
 * Looks whether the organization a request names, by id or by slug, is its key's own.
 * @throws ApiError 422 TENANT_RESOLUTION_FAILED
 */
export async function requireOwnOrganization(
  context: Context,
  { organizationId }: Actor,
  idOrSlug: string,
): Promise<void> {
  if (idOrSlug === organizationId) return;
  const { slug } = await findOrganization(context, organizationId);
  if (idOrSlug === slug) return;
  const message = "X-MIOSA-Tenant names no organization of this API key: leave the header out.";
  throw new ApiError(422, "TENANT_RESOLUTION_FAILED", message);
}
