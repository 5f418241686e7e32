// A project with all it owns, out of reach at once and gone for good after a grace time.
import { sql } from "drizzle-orm";
import { z } from "zod";
import { countProject } from "../account/quota.ts";
import { commit, type Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { laneOf } from "../database/create.ts";
import { beginDelete, hastenPurges } from "../database/delete.ts";
import { countLive, databasesOf, type PlacedDatabase } from "../database/find.ts";
import { verbTable } from "../database/status.ts";
import { begin, type Do, defineOperation, next, waitFor } from "../operation/define.ts";
import { activeOperations, commitExclusively } from "../operation/find.ts";
import { recordEvent } from "../webhook/event.ts";
import { changeProject, moveProject } from "./change.ts";
import { beginDestroy } from "./destroy.ts";
import { type FoundProject, loadProject, ownProjectId, subjectOf } from "./find.ts";

const DeleteInput = z.object({
  projectId: z.string(),
  organizationId: z.string(),
  purgeAt: z.number(),
});
type DeleteInput = z.infer<typeof DeleteInput>;

const close: Do<DeleteInput> = async (context, { input, operationId }) => {
  const purgeAt = new Date(input.purgeAt);
  const left = await databasesOf(context, ownProjectId(input.projectId));
  if (left.length > 0) return waitFor(1, ...(await deleteAgain(context, left, purgeAt)));
  const row = await loadProject(context, input.projectId);
  const data = { purge_at: purgeAt.toISOString() };
  return next(
    changeProject(context, row.id, { state: "deleted", deletedAt: context.now(), purgeAt }),
    countProject(context, input.organizationId, -1),
    recordEvent(context, "project.deleted", subjectOf(row), { operationId, data }),
  );
};

// One whose own deletion was given up, or canceled, lives again: the project takes it along still.
async function deleteAgain(
  context: Context,
  left: readonly PlacedDatabase[],
  purgeAt: Date,
): Promise<Statement[]> {
  const ids = left.map(({ row }) => row.id);
  const busy = await activeOperations(context, ids);
  return left
    .filter(({ row }) => verbTable.delete[row.state] === "begin" && !busy.has(row.id))
    .flatMap(({ row }) => {
      const unprotected = { ...row, deletionProtection: false };
      return beginDelete(context, unprotected, { purgeAt, withProject: true }, null).statements;
    });
}

/** `project.delete`: once its databases are out of reach, the project is. */
export const deleteProjectOperation = defineOperation<DeleteInput>({
  name: "project.delete",
  input: DeleteInput,
  deadlineMinutes: 60,
  attemptsMax: 20,
  pointOfNoReturn: "close",
  steps: { close: { do: close } },
});

/**
 * Begins to delete a project and everything in it, the id of the operation; null when there is
 * nothing to begin. With 0 seconds of grace it is destroyed. One in its grace time stays as it is,
 * but for an end that is earlier now.
 * @throws ApiError 409 OPERATION_IN_PROGRESS while one of its databases is being changed, 409
 *   DELETION_PROTECTED naming a database that is.
 */
export async function deleteProject(
  context: Context,
  found: FoundProject,
  graceSeconds: number,
  requestId: string,
): Promise<string | null> {
  if (graceSeconds === 0) return beginDestroy(context, found, requestId);
  const purgeAt = new Date(context.now().getTime() + graceSeconds * 1000);
  if (found.row.state !== "deleted") return beginDeleteAll(context, found, purgeAt, requestId);
  const end = { purgeAt: sql`min(purge_at, ${purgeAt.getTime()})` };
  await commit(context, [
    moveProject(context, found.row, "deleted", end),
    hastenPurges(context, found.id, purgeAt),
  ]);
  return null;
}

async function beginDeleteAll(
  context: Context,
  { id, row }: FoundProject,
  purgeAt: Date,
  requestId: string,
): Promise<string> {
  const databases = await databasesOf(context, id);
  const { organizationId, workspaceId } = row;
  const operation = begin(
    context,
    deleteProjectOperation,
    { lane: laneOf(id), organizationId, workspaceId, projectId: id, resourceId: id, requestId },
    { projectId: id, organizationId, purgeAt: purgeAt.getTime() },
  );
  const grace = { purgeAt, withProject: true };
  const ends = databases.map((each) => beginDelete(context, each.row, grace, requestId));
  // One that was made since they were read would be left behind.
  const isComplete = sql`(${countLive(context, id)}) = ${databases.length}`;
  await commitExclusively(
    context,
    [id, ...databases.map((each) => each.row.id)],
    [
      ...ends.flatMap((end) => end.statements),
      operation.statement,
      moveProject(context, row, "deleting", {}, isComplete),
    ],
  );
  return operation.id;
}
