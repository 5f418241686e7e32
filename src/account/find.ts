import { and, eq, isNull, type SQL } from "drizzle-orm";
import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { notFound } from "../core/error.ts";
import { isUuid } from "../core/id.ts";
import { workspace } from "./table.ts";

/** One row of the table. */
export type WorkspaceRow = typeof workspace.$inferSelect;

/** @throws ApiError 404 also when it is another organization's, or not the key's own. */
export async function findWorkspace(
  context: Context,
  actor: Actor,
  id: string,
): Promise<WorkspaceRow> {
  const [row] = await workspaceBy(context, actor, { id });
  if (row === undefined) throw notFound("workspace");
  return row;
}

/**
 * The actor narrowed to the workspace a request names, by id or by slug.
 * @throws ApiError 404 also when it is one the key may not see.
 */
export async function enterWorkspace(
  context: Context,
  actor: Actor,
  idOrSlug: string,
): Promise<Actor> {
  const by = isUuid(idOrSlug) ? { id: idOrSlug } : { slug: idOrSlug };
  const [row] = await workspaceBy(context, actor, by);
  if (row === undefined) throw notFound("workspace");
  return { ...actor, workspaceId: row.id };
}

/**
 * That a workspace may be shown to a key of one external user: the one it is bound to, or the
 * default one. Others are other customers'.
 */
export function isForUser({ externalUserId, workspaceId }: Actor): SQL | undefined {
  if (externalUserId === null || workspaceId !== null) return undefined;
  return eq(workspace.isDefault, true);
}

/** How a caller may name a workspace. */
export type WorkspaceSelector =
  | { readonly id: string }
  | { readonly slug: string }
  | { readonly externalWorkspaceId: string }
  | { readonly isDefault: true };

/** The workspace a selector means within what the actor may see, as a query for a read batch. */
export function workspaceBy(context: Context, actor: Actor, selector: WorkspaceSelector) {
  const [name, value] = Object.entries(selector)[0] as [keyof WorkspaceRow, string | true];
  const column = workspace[name as "id" | "slug" | "externalWorkspaceId" | "isDefault"];
  return context.db
    .select()
    .from(workspace)
    .where(
      and(
        eq(workspace.organizationId, actor.organizationId),
        eq(column, value),
        isNull(workspace.deletedAt),
        isForUser(actor),
        actor.workspaceId === null ? undefined : eq(workspace.id, actor.workspaceId),
      ),
    );
}
