// The one place a request's project id becomes a ProjectId: after the actor was checked.
import { and, count, desc, eq, isNull, lt, ne, type SQL } from "drizzle-orm";
import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { conflict, notFound, TerminalError } from "../core/error.ts";
import type { ProjectId } from "../core/id.ts";
import type { PageRequest } from "../core/page.ts";
import { type ProjectRow, project } from "./table.ts";

/** A project the actor may touch. */
export interface FoundProject {
  readonly id: ProjectId;
  readonly row: ProjectRow;
}

/** Which projects of a list are wanted; what is undefined does not filter. */
export interface ProjectFilter {
  readonly state?: "active" | "deleting" | "deleted" | undefined;
  readonly workspaceId?: string | undefined;
  readonly externalWorkspaceId?: string | undefined;
  readonly externalUserId?: string | undefined;
  readonly externalProjectId?: string | undefined;
}

/** @throws ApiError 404 also when it is another organization's, or purged. */
export async function findProject(
  context: Context,
  actor: Actor,
  id: string,
): Promise<FoundProject> {
  const [row] = await projectsBy(context, actor, { id });
  if (row === undefined) throw notFound("project");
  return { id: row.id as ProjectId, row };
}

/** The default project, or the one a user calls so: an external id is a user's own word. */
export type ProjectName =
  | { readonly isDefault: true }
  | { readonly externalProjectId: string; readonly externalUserId: string | null };

/** The oldest project of a name, in a workspace when one is given; null without. */
export async function findProjectBy(
  context: Context,
  actor: Actor,
  by: ProjectName,
  workspaceId: string | null,
): Promise<FoundProject | null> {
  const within = workspaceId === null ? {} : { workspaceId };
  const [row] = await projectsBy(
    context,
    actor,
    { ...by, ...within },
    ne(project.state, "deleted"),
  );
  return row === undefined ? null : { id: row.id as ProjectId, row };
}

/** @throws ApiError 409 PROJECT_NOT_ACTIVE, saying what to do about it */
export function requireActive({ id, state }: ProjectRow): void {
  if (state === "active") return;
  const remedy = state === "deleted" ? `undelete the project ${id} first` : "it is on its way out";
  const message = `The project is ${state}: ${remedy}.`;
  throw conflict("PROJECT_NOT_ACTIVE", message, { project_id: id, state });
}

/** The ProjectId of a project this very request makes. */
export function ownProjectId(id: string): ProjectId {
  return id as ProjectId;
}

/** A page of projects, newest first, and how many there are. */
export async function listProjects(
  context: Context,
  actor: Actor,
  filter: ProjectFilter,
  page: PageRequest,
) {
  const { state, ...columns } = filter;
  const matches = and(
    visibleTo(actor),
    state === undefined ? ne(project.state, "deleted") : eq(project.state, state),
    ...equalities(columns),
  );
  const before = page.beforeSeq === null ? undefined : lt(project.seq, page.beforeSeq);
  const [rows, totals] = await context.db.batch([
    context.db
      .select()
      .from(project)
      .where(and(matches, before))
      .orderBy(desc(project.seq))
      .limit(page.limit)
      .offset(page.offset),
    context.db.select({ total: count() }).from(project).where(matches),
  ]);
  return { rows, total: totals[0]?.total ?? 0 };
}

function projectsBy(context: Context, actor: Actor, by: Partial<ProjectRow>, which?: SQL) {
  return context.db
    .select()
    .from(project)
    .where(and(visibleTo(actor), which, ...equalities(by)))
    .orderBy(project.seq)
    .limit(1);
}

function equalities(by: object) {
  return Object.entries(by).map(([name, value]) => {
    const column = project[name as keyof ProjectRow];
    if (value === undefined) return undefined;
    return value === null ? isNull(column) : eq(column, value);
  });
}

function visibleTo(actor: Actor) {
  return and(
    eq(project.organizationId, actor.organizationId),
    ne(project.state, "purged"),
    actor.workspaceId === null ? undefined : eq(project.workspaceId, actor.workspaceId),
    actor.externalUserId === null ? undefined : eq(project.externalUserId, actor.externalUserId),
  );
}

/** The row of a project, whatever its state, as a query for a read batch. */
export function projectById(context: Context, id: ProjectId) {
  return context.db.select().from(project).where(eq(project.id, id));
}

/** A project an operation works on, whatever its state. @throws TerminalError GONE */
export async function loadProject(context: Context, id: string): Promise<ProjectRow> {
  const [row] = await projectById(context, ownProjectId(id));
  if (row === undefined) throw new TerminalError("GONE", "The project no longer exists.");
  return row;
}

/** A project as the subject of its own events. */
export function subjectOf(row: ProjectRow) {
  return { ...row, projectId: row.id };
}
