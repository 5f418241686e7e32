import { and, count, desc, eq, lt } from "drizzle-orm";
import type { Actor } from "../core/actor.ts";
import { commit } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { ApiError } from "../core/error.ts";
import { newId } from "../core/id.ts";
import type { PageRequest } from "../core/page.ts";
import type { Receipt } from "../core/route.ts";
import { slugOf } from "../core/slug.ts";
import { isForUser, type WorkspaceRow } from "./find.ts";
import { workspace } from "./table.ts";

/** What a caller says of a workspace. */
export interface NewWorkspace {
  readonly name: string;
  readonly slug?: string | undefined;
  readonly description?: string | null | undefined;
  readonly externalWorkspaceId?: string | null | undefined;
  readonly metadata?: Record<string, unknown> | undefined;
}

/** What may change of a workspace; what is undefined stays. */
export interface WorkspaceChange {
  readonly name?: string | undefined;
  readonly slug?: string | undefined;
  readonly description?: string | null | undefined;
  readonly metadata?: Record<string, unknown> | undefined;
  readonly settings?: Record<string, unknown> | undefined;
}

/** A new workspace's row, for the verb's own batch. */
export function newWorkspace(context: Context, organizationId: string, input: NewWorkspace) {
  const now = context.now();
  const row = {
    id: newId(context),
    organizationId,
    name: input.name,
    slug: input.slug ?? slugOf(context, input.name),
    description: input.description ?? null,
    externalWorkspaceId: input.externalWorkspaceId ?? null,
    metadata: input.metadata ?? {},
    settings: {},
    isDefault: false,
    createdAt: now,
    updatedAt: now,
  };
  return { row, statement: context.db.insert(workspace).values(row) };
}

/** @throws ApiError 409 NAME_TAKEN for a slug or external id in use, 403 for a bound key. */
export async function createWorkspace(
  context: Context,
  actor: Actor,
  input: NewWorkspace,
  receipt: Receipt,
): Promise<string> {
  if (actor.workspaceId !== null) {
    throw new ApiError(403, "FORBIDDEN", "This API key is bound to one workspace.");
  }
  const { row, statement } = newWorkspace(context, actor.organizationId, input);
  await commit(context, [statement, ...receipt(`/workspaces/${row.id}`)]);
  return row.id;
}

/** Changes what is given and leaves the rest. */
export async function updateWorkspace(
  context: Context,
  row: WorkspaceRow,
  change: WorkspaceChange,
): Promise<void> {
  const { name, slug, description, metadata, settings } = change;
  await commit(context, [
    context.db
      .update(workspace)
      .set({ name, slug, description, metadata, settings, updatedAt: context.now() })
      .where(eq(workspace.id, row.id)),
  ]);
}

/** A page of the workspaces the actor may see, newest first, and how many there are. */
export async function listWorkspaces(context: Context, actor: Actor, page: PageRequest) {
  const visible = and(
    eq(workspace.organizationId, actor.organizationId),
    isForUser(actor),
    actor.workspaceId === null ? undefined : eq(workspace.id, actor.workspaceId),
  );
  const [rows, totals] = await context.db.batch([
    context.db
      .select()
      .from(workspace)
      .where(and(visible, page.beforeSeq === null ? undefined : lt(workspace.seq, page.beforeSeq)))
      .orderBy(desc(workspace.seq))
      .limit(page.limit)
      .offset(page.offset),
    context.db.select({ total: count() }).from(workspace).where(visible),
  ]);
  return { rows, total: totals[0]?.total ?? 0 };
}
