// A project with all it owns, out of reach at once and gone for good after a grace time.
import { and, eq, lte, notExists, notInArray } from "drizzle-orm";
import { z } from "zod";
import { countProject } from "../account/quota.ts";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { conflict } from "../core/error.ts";
import { laneOf } from "../database/create.ts";
import { beginDelete } from "../database/delete.ts";
import { databasesOf } from "../database/find.ts";
import { database } from "../database/table.ts";
import { beginUndelete } from "../database/undelete.ts";
import { begin, type Do, defineOperation, next, waitFor } from "../operation/define.ts";
import { commitExclusively } from "../operation/find.ts";
import { recordEvent } from "../webhook/event.ts";
import { beginDestroy } from "./destroy.ts";
import { type FoundProject, ownProjectId } from "./find.ts";
import { type ProjectRow, project } from "./table.ts";

const DeleteInput = z.object({
  projectId: z.string(),
  organizationId: z.string(),
  purgeAt: z.number(),
});
type DeleteInput = z.infer<typeof DeleteInput>;

const close: Do<DeleteInput> = async (context, { input, operationId }) => {
  const left = await databasesOf(context, ownProjectId(input.projectId));
  if (left.length > 0) return waitFor(1);
  const row = await loadProject(context, input.projectId);
  const purgeAt = new Date(input.purgeAt);
  const data = { purge_at: purgeAt.toISOString() };
  return next(
    changeProject(context, row.id, { state: "deleted", deletedAt: context.now(), purgeAt }),
    countProject(context, input.organizationId, -1),
    recordEvent(context, "project.deleted", subjectOf(row), { operationId, data }),
  );
};

/** `project.delete`: once its databases are out of reach, the project is. */
export const deleteProject = defineOperation<DeleteInput>({
  name: "project.delete",
  input: DeleteInput,
  deadlineMinutes: 60,
  attemptsMax: 20,
  pointOfNoReturn: "close",
  steps: { close: { do: close } },
});

/**
 * Begins to delete a project and everything in it; with 0 seconds of grace it is destroyed now.
 * @throws ApiError 409 OPERATION_IN_PROGRESS while one of its databases is being changed, 409
 *   DELETION_PROTECTED naming a database that is.
 */
export async function beginDeleteProject(
  context: Context,
  found: FoundProject,
  graceSeconds: number,
  requestId: string,
): Promise<string> {
  if (graceSeconds === 0) return beginDestroy(context, found, requestId);
  const { id, row } = found;
  const databases = await databasesOf(context, id);
  const purgeAt = context.now().getTime() + graceSeconds * 1000;
  const operation = begin(
    context,
    deleteProject,
    {
      lane: laneOf(id),
      organizationId: row.organizationId,
      workspaceId: row.workspaceId,
      projectId: id,
      resourceId: id,
      requestId,
    },
    { projectId: id, organizationId: row.organizationId, purgeAt },
  );
  const ends = databases.map((each) => beginDelete(context, each.row, graceSeconds, requestId));
  await commitExclusively(
    context,
    [id, ...databases.map((each) => each.row.id)],
    [
      ...ends.flatMap((end) => end.statements),
      operation.statement,
      changeProject(context, id, { state: "deleting" }),
    ],
  );
  return operation.id;
}

/**
 * Brings a deleted project back, with those of its databases that were deleted with it.
 * @throws ApiError 409 INVALID_STATE, NAME_TAKEN; 403 QUOTA_EXCEEDED
 */
export async function undeleteProject(
  context: Context,
  { id, row }: FoundProject,
  requestId: string,
): Promise<void> {
  if (row.state === "active") return;
  if (row.state !== "deleted") {
    const message = `The project is ${row.state}; it can be undeleted while it is deleted.`;
    throw conflict("INVALID_STATE", message, { state: row.state, resource_id: id });
  }
  const databases = await databasesDeletedWith(context, row);
  const begun = databases.map((each) => beginUndelete(context, each, requestId));
  const back = { state: "active", deletedAt: null, purgeAt: null } as const;
  await commitExclusively(
    context,
    databases.map((each) => each.id),
    [
      changeProject(context, id, back),
      countProject(context, row.organizationId, 1),
      recordEvent(context, "project.undeleted", subjectOf(row)),
      ...begun.flatMap((each) => each.statements),
    ],
  );
}

// Those that were deleted before the project have another end of their grace time.
async function databasesDeletedWith(context: Context, row: ProjectRow) {
  if (row.purgeAt === null) return [];
  const theirs = and(eq(database.projectId, row.id), eq(database.state, "deleted"));
  return context.db
    .select()
    .from(database)
    .where(and(theirs, eq(database.purgeAt, row.purgeAt)));
}

/** Purges projects whose grace time is over, once nothing of them is left in a cluster. */
export async function purgeProjects(context: Context): Promise<void> {
  const left = context.db
    .select({ id: database.id })
    .from(database)
    .where(
      and(eq(database.projectId, project.id), notInArray(database.state, ["purged", "failed"])),
    );
  const isOver = and(
    eq(project.state, "deleted"),
    lte(project.purgeAt, context.now()),
    notExists(left),
  );
  await context.db.update(project).set({ state: "purged", updatedAt: context.now() }).where(isOver);
}

function changeProject(context: Context, id: string, change: Partial<ProjectRow>): Statement {
  return context.db
    .update(project)
    .set({ ...change, updatedAt: context.now() })
    .where(eq(project.id, id));
}

async function loadProject(context: Context, id: string): Promise<ProjectRow> {
  const [row] = await context.db.select().from(project).where(eq(project.id, id));
  if (row === undefined) throw new Error(`There is no project ${id}.`);
  return row;
}

/** A project as the subject of its own events. */
function subjectOf(row: ProjectRow) {
  return { ...row, projectId: row.id };
}
