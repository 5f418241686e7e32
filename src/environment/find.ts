import { and, asc, eq } from "drizzle-orm";
import type { Context } from "../core/context.ts";
import { notFound } from "../core/error.ts";
import type { ProjectId } from "../core/id.ts";
import { type EnvironmentRow, environment } from "./table.ts";

/** A project's environments in the order they were made. */
export function listEnvironments(
  context: Context,
  projectId: ProjectId,
): Promise<EnvironmentRow[]> {
  return context.db
    .select()
    .from(environment)
    .where(eq(environment.projectId, projectId))
    .orderBy(asc(environment.seq));
}

/** The project an environment of the organization belongs to. @throws ApiError 404 */
export async function projectOfEnvironment(
  context: Context,
  organizationId: string,
  id: string,
): Promise<string> {
  const [row] = await context.db
    .select({ projectId: environment.projectId })
    .from(environment)
    .where(and(eq(environment.organizationId, organizationId), eq(environment.id, id)));
  if (row === undefined) throw notFound("environment");
  return row.projectId;
}

/** @throws ApiError 404 */
export async function findEnvironment(
  context: Context,
  projectId: ProjectId,
  by: { readonly name: string } | { readonly id: string },
): Promise<EnvironmentRow> {
  const matches = "name" in by ? eq(environment.name, by.name) : eq(environment.id, by.id);
  const [row] = await context.db
    .select()
    .from(environment)
    .where(and(eq(environment.projectId, projectId), matches));
  if (row === undefined) throw notFound("environment");
  return row;
}
