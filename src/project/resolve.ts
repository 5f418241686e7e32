import { workspaceBy } from "../account/find.ts";
import { type Actor, attributedUser } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { conflict, invalid } from "../core/error.ts";
import { withoutTrail } from "../core/trail.ts";
import { projectOfEnvironment } from "../environment/find.ts";
import { createProject, type Request } from "./create.ts";
import { type FoundProject, findProject, findProjectBy, type ProjectName } from "./find.ts";
import { type WorkspaceReference, workspaceOf } from "./schema.ts";

/** How a body that needs a project may name one. */
export interface ProjectReference extends WorkspaceReference {
  readonly workspace_name?: string | undefined;
  readonly project_id?: string | undefined;
  readonly environment_id?: string | undefined;
  readonly external_project_id?: string | undefined;
  readonly external_user_id?: string | undefined;
}

// The default project is everybody's, and so nothing for a key of one user.
function refuseEverybodys(actor: Actor, { external_project_id: id }: ProjectReference): void {
  if (actor.externalUserId === null || id !== undefined) return;
  const problem =
    "is needed, or external_project_id: this API key is limited to one external user.";
  throw invalid("project_id", problem);
}

/**
 * The project a body names: by id, by an environment's id, by the external id its user has for it
 * (made when that user has none), or the workspace's default project (made when first needed).
 * @throws ApiError 404
 */
export async function resolveProject(
  context: Context,
  request: Request,
  reference: ProjectReference,
): Promise<FoundProject> {
  const { actor } = request;
  if (reference.project_id !== undefined) {
    return findProject(context, actor, reference.project_id);
  }
  if (reference.environment_id !== undefined) {
    const { organizationId } = actor;
    const id = await projectOfEnvironment(context, organizationId, reference.environment_id);
    return findProject(context, actor, id);
  }
  refuseEverybodys(actor, reference);
  const workspace = workspaceOf(reference);
  const [known] = await workspaceBy(context, actor, workspace ?? { isDefault: true });
  const { external_project_id: externalProjectId } = reference;
  const externalUserId = attributedUser(actor, reference.external_user_id);
  const by: ProjectName =
    externalProjectId === undefined ? { isDefault: true } : { externalProjectId, externalUserId };
  const isNewWorkspace = workspace !== null && known === undefined;
  const found = isNewWorkspace
    ? null
    : await findProjectBy(context, actor, by, known?.id ?? actor.workspaceId);
  if (found !== null) return found;
  // What this makes is not what the request's key answers for, so it leaves no receipt.
  const id = await createProject(
    withoutTrail(context),
    { ...request, receipt: () => [] },
    {
      name: externalProjectId ?? "Default",
      workspace,
      workspaceName: reference.workspace_name,
      externalProjectId,
      // The default project is everybody's; one made for an external id is its maker's.
      externalUserId: externalProjectId === undefined ? null : externalUserId,
      postgres: null,
      isDefault: externalProjectId === undefined,
    },
  ).catch((error: unknown) => error);
  if (typeof id === "string") return findProject(context, actor, id);
  // Two first calls race for the default project: the loser uses the winner's.
  const theirs = await findProjectBy(context, actor, by, known?.id ?? actor.workspaceId);
  if (theirs !== null) return theirs;
  throw id instanceof Error ? id : conflict("CONFLICT", "The project could not be made.");
}
