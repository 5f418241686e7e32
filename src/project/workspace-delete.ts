// Takes a workspace away. It goes last: what was begun and not finished is there to be asked again.
import { and, eq } from "drizzle-orm";
import type { WorkspaceRow } from "../account/find.ts";
import { removeWorkspace } from "../account/workspace.ts";
import { type Actor, requireScope } from "../core/actor.ts";
import { commit } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { conflict } from "../core/error.ts";
import { graceSecondsDefault } from "../core/grace.ts";
import { protectedDatabases } from "../database/find.ts";
import { deleteProject } from "./delete.ts";
import { ownProjectId } from "./find.ts";
import { project } from "./table.ts";

// Each begins an operation of its own.
const projectsMax = 50;

/** How far to go. */
export interface WorkspaceDeletion {
  /** Also with the projects in it. */
  readonly force: boolean;
  /** Tells only what would go. */
  readonly dryRun: boolean;
}

/**
 * Deletes a workspace; the ids of the projects that go with it.
 * @throws ApiError 409 DEFAULT_WORKSPACE, WORKSPACE_NOT_EMPTY, DELETION_PROTECTED; 403 for a key
 *   that may not delete projects and databases
 */
export async function deleteWorkspace(
  context: Context,
  { actor, requestId }: { readonly actor: Actor; readonly requestId: string },
  row: WorkspaceRow,
  { force, dryRun }: WorkspaceDeletion,
): Promise<string[]> {
  if (row.isDefault) {
    const message = "This is the organization's default workspace, which stays.";
    throw conflict("DEFAULT_WORKSPACE", message);
  }
  const projects = await context.db
    .select()
    .from(project)
    .where(and(eq(project.workspaceId, row.id), eq(project.state, "active")));
  const ids = projects.map(({ id }) => id);
  if (dryRun) return ids;
  if (ids.length > 0) await refuseFull(context, actor, row, { force, ids });
  for (const each of projects) {
    const found = { id: ownProjectId(each.id), row: each };
    await deleteProject(context, found, graceSecondsDefault, requestId);
    await context.nudge(`project:${each.id}`);
  }
  await commit(context, removeWorkspace(context, row));
  return ids;
}

async function refuseFull(
  context: Context,
  actor: Actor,
  row: WorkspaceRow,
  { force, ids }: { readonly force: boolean; readonly ids: readonly string[] },
): Promise<void> {
  if (!force || ids.length > projectsMax) {
    const remedy = force
      ? `delete some first: ${projectsMax} at most go with a workspace`
      : "delete them, or send force=true";
    const message = `The workspace has ${ids.length} projects: ${remedy}.`;
    throw conflict("WORKSPACE_NOT_EMPTY", message, { project_ids: ids.slice(0, projectsMax) });
  }
  requireScope(actor, "projects:write");
  requireScope(actor, "databases:write");
  const [first] = await protectedDatabases(context, row.id);
  if (first === undefined) return;
  const message = `The database ${first.id} is protected: PATCH it with deletion_protection false.`;
  throw conflict("DELETION_PROTECTED", message, { database_id: first.id });
}
