// Takes a project away with all it owns. Its databases' own operations stand before it in the same
// lane, begun in the same batch, so they are over when it runs.
import { type SQL, sql } from "drizzle-orm";
import { z } from "zod";
import { countProject } from "../account/quota.ts";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { laneOf } from "../database/create.ts";
import {
  beginDestroy as beginDatabaseDestroy,
  beginDestroyWithProject,
} from "../database/destroy.ts";
import { countRemaining, remainingDatabases } from "../database/find.ts";
import { verbTable } from "../database/status.ts";
import type { DatabaseRow } from "../database/table.ts";
import { begin, type Do, defineOperation, next, waitFor } from "../operation/define.ts";
import { activeOperations, commitExclusively } from "../operation/find.ts";
import { recordEvent } from "../webhook/event.ts";
import { changeProject, moveProject } from "./change.ts";
import { type FoundProject, loadProject, subjectOf } from "./find.ts";
import type { ProjectRow } from "./table.ts";

const DestroyInput = z.object({ projectId: z.string(), organizationId: z.string() });
type DestroyInput = z.infer<typeof DestroyInput>;

const close: Do<DestroyInput> = async (context, { input, operationId }) => {
  const left = await remainingDatabases(context, input.projectId);
  if (left.length > 0) return waitFor(1, ...(await destroyAgain(context, left)));
  const row = await loadProject(context, input.projectId);
  const now = context.now();
  const fact = { deletedAt: row.deletedAt ?? now, purgeAt: row.purgeAt ?? now };
  const subject = subjectOf(row);
  // One that was deleted before is no longer counted.
  const isNew = row.deletedAt === null;
  const end = isNew
    ? [
        countProject(context, input.organizationId, -1),
        recordEvent(context, "project.deleted", subject, { operationId }),
      ]
    : [];
  return next(
    changeProject(context, row.id, { state: "purged", ...fact }),
    ...end,
    recordEvent(context, "project.purged", subject, { operationId }),
  );
};

// One that was busy when the project's end began, and then lived on or stayed deleted, goes along.
async function destroyAgain(context: Context, left: readonly DatabaseRow[]): Promise<Statement[]> {
  const busy = await activeOperations(
    context,
    left.map(({ id }) => id),
  );
  return left
    .filter(({ id, state }) => verbTable.delete[state] === "begin" && !busy.has(id))
    .flatMap((each) => beginDestroyWithProject(context, each).statements);
}

/** `project.destroy`: once its databases are gone, the project is. */
export const destroyProject = defineOperation<DestroyInput>({
  name: "project.destroy",
  input: DestroyInput,
  deadlineMinutes: 60,
  attemptsMax: 20,
  pointOfNoReturn: "close",
  steps: { close: { do: close } },
});

/**
 * Begins to destroy a project and everything in it, also what is in its grace time.
 * @throws ApiError 409 OPERATION_IN_PROGRESS while one of its databases is being changed, 409
 *   DELETION_PROTECTED naming a database that is.
 */
export async function beginDestroy(
  context: Context,
  { id, row }: FoundProject,
  requestId: string,
): Promise<string> {
  const databases = await remainingDatabases(context, id);
  const ends = databases.map((each) => beginDatabaseDestroy(context, each, requestId));
  // One that was made since they were read would be left behind.
  const isComplete = sql`(${countRemaining(context, id)}) = ${databases.length}`;
  const own = newDestruction(context, row, requestId, isComplete);
  await commitExclusively(
    context,
    [id, ...databases.map((each) => each.id)],
    [...ends.flatMap((end) => end.statements), ...own.statements],
  );
  return own.operationId;
}

/** What begins the destruction of a project whose grace time is over, with what is left in it. */
export async function purgeStatements(context: Context, row: ProjectRow): Promise<Statement[]> {
  const databases = await remainingDatabases(context, row.id);
  // The others are on their way already.
  const idle = databases.filter(({ state }) => state === "deleted" || state === "failed");
  const isOver = sql`purge_at <= ${context.now().getTime()}`;
  return [
    ...idle.flatMap((each) => beginDestroyWithProject(context, each).statements),
    ...newDestruction(context, row, null, isOver).statements,
  ];
}

function newDestruction(
  context: Context,
  row: ProjectRow,
  requestId: string | null,
  condition: SQL,
) {
  const { id, organizationId, workspaceId } = row;
  const operation = begin(
    context,
    destroyProject,
    { lane: laneOf(id), organizationId, workspaceId, projectId: id, resourceId: id, requestId },
    { projectId: id, organizationId },
  );
  const move = moveProject(context, row, "deleting", {}, condition);
  return { operationId: operation.id, statements: [operation.statement, move] };
}
