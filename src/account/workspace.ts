import { and, count, desc, eq, isNotNull, isNull, lt } from "drizzle-orm";
import type { Actor } from "../core/actor.ts";
import { commit, type Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { ApiError } from "../core/error.ts";
import { newId } from "../core/id.ts";
import type { PageRequest } from "../core/page.ts";
import type { Receipt } from "../core/route.ts";
import { slugOf } from "../core/slug.ts";
import { isForUser, type WorkspaceRow, workspaceBy } from "./find.ts";
import { apiKey, workspace } from "./table.ts";

/** What a caller says of a workspace. */
export interface NewWorkspace {
  readonly name: string;
  readonly slug?: string | undefined;
  readonly description?: string | null | undefined;
  readonly externalWorkspaceId?: string | null | undefined;
  readonly metadata?: Record<string, unknown> | undefined;
  /** Makes it also where another one has the same name. */
  readonly mayRepeatName?: boolean | undefined;
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

/**
 * Creates a workspace; the one with the same external id when there is one.
 * @throws ApiError 409 NAME_TAKEN for a slug in use, 409 WORKSPACE_NAME_EXISTS for a name in use
 *   unless that is meant, 403 for a bound key.
 */
export async function createWorkspace(
  context: Context,
  actor: Actor,
  input: NewWorkspace,
  receipt: Receipt,
): Promise<{ readonly id: string; readonly isReused: boolean }> {
  if (actor.workspaceId !== null) {
    throw new ApiError(403, "FORBIDDEN", "This API key is bound to one workspace.");
  }
  const { externalWorkspaceId } = input;
  if (externalWorkspaceId != null) {
    const [known] = await workspaceBy(context, actor, { externalWorkspaceId });
    if (known !== undefined) return { id: known.id, isReused: true };
  }
  if (input.mayRepeatName !== true) await refuseNamesake(context, actor, input.name);
  const { row, statement } = newWorkspace(context, actor.organizationId, input);
  await commit(context, [statement, ...receipt(`/workspaces/${row.id}`)]);
  return { id: row.id, isReused: false };
}

async function refuseNamesake(context: Context, actor: Actor, name: string): Promise<void> {
  const [existing] = await context.db
    .select()
    .from(workspace)
    .where(and(visibleTo(actor), eq(workspace.name, name)))
    .limit(1);
  if (existing === undefined) return;
  const { id, slug } = existing;
  const message = `The workspace ${id} has this name: use it, or send allow_duplicate_name: true.`;
  const known = { id, name, slug, external_workspace_id: existing.externalWorkspaceId };
  throw new ApiError(409, "WORKSPACE_NAME_EXISTS", message, { facts: { existing: known } });
}

/** Takes a workspace away, with the keys bound to it, for the batch of whoever found it empty. */
export function removeWorkspace(context: Context, { id }: WorkspaceRow): Statement[] {
  const now = context.now();
  return [
    context.db
      .update(workspace)
      .set({ deletedAt: now, updatedAt: now })
      .where(eq(workspace.id, id)),
    context.db
      .update(apiKey)
      .set({ status: "revoked", updatedAt: now })
      .where(eq(apiKey.workspaceId, id)),
  ];
}

/** Brings a workspace back, for whatever comes back into it; one that is there stays. */
export function reviveWorkspace(context: Context, id: string): Statement {
  return context.db
    .update(workspace)
    .set({ deletedAt: null, updatedAt: context.now() })
    .where(and(eq(workspace.id, id), isNotNull(workspace.deletedAt)));
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
  const visible = visibleTo(actor);
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

function visibleTo(actor: Actor) {
  return and(
    eq(workspace.organizationId, actor.organizationId),
    isNull(workspace.deletedAt),
    isForUser(actor),
    actor.workspaceId === null ? undefined : eq(workspace.id, actor.workspaceId),
  );
}
