import type { WorkspaceRow, WorkspaceSelector } from "../account/find.ts";
import { workspaceBy } from "../account/find.ts";
import { countProject } from "../account/quota.ts";
import { newWorkspace } from "../account/workspace.ts";
import { type Actor, attributedUser } from "../core/actor.ts";
import { commit, type Statement, violatedConstraint } from "../core/batch.ts";
import type { Attribution } from "../core/column.ts";
import type { Context } from "../core/context.ts";
import { notFound } from "../core/error.ts";
import { newId } from "../core/id.ts";
import type { Receipt } from "../core/route.ts";
import { slugOf } from "../core/slug.ts";
import { backendsOfNew } from "../database/backend.ts";
import { newDatabase } from "../database/create.ts";
import type { DatabaseSize } from "../database/size.ts";
import { anyOf, sparesFor, withSpares } from "../database/spare.ts";
import { newEnvironments } from "../environment/create.ts";
import { hostsWithRoom } from "../host/place.ts";
import { recordEvent } from "../webhook/event.ts";
import { ownProjectId } from "./find.ts";
import { project } from "./table.ts";

/** What a caller says of a project. */
export interface NewProject {
  readonly name: string;
  readonly slug?: string | undefined;
  readonly description?: string | null | undefined;
  readonly settings?: Record<string, unknown> | undefined;
  readonly metadata?: Record<string, unknown> | undefined;
  readonly externalUserId?: string | null | undefined;
  readonly externalProjectId?: string | null | undefined;
  /** Null means the default workspace. */
  readonly workspace: WorkspaceSelector | null;
  /** Of the workspace an unknown external id makes; the external id when absent. */
  readonly workspaceName?: string | undefined;
  /** Size of its databases, or null for a project without Postgres. */
  readonly postgres: DatabaseSize | null;
  readonly isDefault?: boolean;
}

/** Who asks, under which request. */
export interface Request {
  readonly actor: Actor;
  readonly requestId: string;
  readonly receipt: Receipt;
}

/**
 * Creates a project with its environments and, if asked for, its production database: one batch.
 * @throws ApiError 404 for an unknown workspace, 409 NAME_TAKEN, 403 QUOTA_EXCEEDED,
 * 503 NO_CAPACITY
 */
export async function createProject(context: Context, request: Request, input: NewProject) {
  try {
    return await withSpares((isLast) => attempt(context, request, input, isLast));
  } catch (error) {
    // Somebody made the same workspace meanwhile: it is there now.
    if (!violatedConstraint(error)?.includes("workspace.external_workspace_id")) throw error;
    return await withSpares((isLast) => attempt(context, request, input, isLast));
  }
}

async function attempt(
  context: Context,
  { actor, requestId, receipt }: Request,
  input: NewProject,
  withoutSpare: boolean,
) {
  const [workspaces, hosts, spares] = await context.db.batch([
    workspaceBy(context, actor, selectorOf(actor, input)),
    hostsWithRoom(context, backendsOfNew(actor.organizationId, input.postgres ?? "small")),
    sparesFor(context, actor.organizationId, withoutSpare ? null : input.postgres),
  ]);
  const { workspace, statements } = await enter(context, actor, input, workspaces[0]);
  const projectId = ownProjectId(newId(context));
  const [{ organizationId }, { id: workspaceId }] = [actor, workspace];
  const attribution = {
    externalWorkspaceId: workspace.externalWorkspaceId,
    externalUserId: attributedUser(actor, input.externalUserId),
    externalProjectId: input.externalProjectId ?? null,
    metadata: input.metadata ?? {},
  };
  const environments = newEnvironments(context, organizationId, projectId);
  statements.push(
    countProject(context, organizationId, 1),
    ...rowOf(context, input, { ...attribution, projectId, organizationId, workspaceId }),
    environments.statement,
  );
  const [production] = environments.rows;
  if (input.postgres !== null && production !== undefined) {
    const made = {
      ...{ organizationId, workspaceId, projectId, attribution, requestId },
      environment: production,
      name: null,
      isPrimary: true,
      size: input.postgres,
      hostId: hosts[0]?.id,
    };
    statements.push(...(await newDatabase(context, made, anyOf(context, spares))).statements);
  }
  await commit(context, [...statements, ...receipt(`/projects/${projectId}`)]);
  return projectId;
}

/** The project's row, and the event that tells of it. */
function rowOf(
  context: Context,
  input: NewProject,
  owned: Attribution & {
    readonly projectId: string;
    readonly organizationId: string;
    readonly workspaceId: string;
  },
): Statement[] {
  const { projectId: id, ...rest } = owned;
  const now = context.now();
  return [
    context.db.insert(project).values({
      ...rest,
      id,
      name: input.name,
      slug: input.slug ?? slugOf(context, input.name),
      description: input.description ?? null,
      settings: input.settings ?? {},
      isDefault: input.isDefault ?? false,
      hasPostgres: input.postgres !== null,
      postgresSize: input.postgres,
      state: "active",
      createdAt: now,
      updatedAt: now,
    }),
    recordEvent(context, "project.created", { ...owned, id }),
  ];
}

function selectorOf(actor: Actor, { workspace }: NewProject): WorkspaceSelector {
  if (workspace !== null) return workspace;
  return actor.workspaceId === null ? { isDefault: true } : { id: actor.workspaceId };
}

// An external workspace nobody has heard of is created; any other unknown one is a mistake.
async function enter(
  context: Context,
  actor: Actor,
  { workspace: selector, workspaceName }: NewProject,
  found: WorkspaceRow | undefined,
) {
  const statements: Statement[] = [];
  if (found !== undefined) return { workspace: found, statements };
  const isNew = selector !== null && "externalWorkspaceId" in selector;
  // A key that sees less than the organization makes no workspaces.
  const isNarrow = actor.workspaceId !== null || actor.externalUserId !== null;
  if (!isNew || isNarrow) throw notFound("workspace");
  const { externalWorkspaceId } = selector;
  const made = newWorkspace(context, actor.organizationId, {
    name: workspaceName ?? externalWorkspaceId,
    externalWorkspaceId,
  });
  statements.push(made.statement);
  return { workspace: made.row, statements };
}
