import type { Actor } from "../core/actor.ts";
import { attributionOf } from "../core/column.ts";
import type { Context } from "../core/context.ts";
import { ApiError, invalid } from "../core/error.ts";
import { opaqueName } from "../core/id.ts";
import type { DatabaseRow } from "../database/table.ts";
import { findEnvironment } from "../environment/find.ts";
import { type FoundProject, findProject, requireActive } from "../project/find.ts";
import type { RestorePlace } from "./restore-new.ts";

/** Where a caller wants a restored database; what is left out is as it was. */
export interface PlaceReference {
  readonly project_id?: string | undefined;
  readonly environment?: string | undefined;
  readonly name?: string | undefined;
}

/**
 * Where a restored database goes: the environment of its source unless another is named.
 * @throws ApiError 404 for a project or an environment that is not known, 409 PROJECT_NOT_ACTIVE;
 *   422 naming `project_id` when the source's own project is gone and no other is named.
 */
export async function placeOf(
  { context, actor }: { readonly context: Context; readonly actor: Actor },
  source: DatabaseRow,
  { project_id: projectId, environment, name }: PlaceReference,
): Promise<RestorePlace> {
  const found =
    projectId === undefined
      ? await ownProject(context, actor, source)
      : await findProject(context, actor, projectId);
  requireActive(found.row);
  const by = { name: environment ?? source.environment };
  return {
    projectId: found.id,
    workspaceId: found.row.workspaceId,
    attribution: attributionOf(found.id === source.projectId ? source : found.row),
    environment: await findEnvironment(context, found.id, by),
    name: name ?? `restored-${opaqueName(context, 8)}`,
  };
}

async function ownProject(context: Context, actor: Actor, row: DatabaseRow): Promise<FoundProject> {
  try {
    return await findProject(context, actor, row.projectId);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
    throw invalid("project_id", "the database's own project is gone: name another one.");
  }
}
