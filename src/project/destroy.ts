// Takes a project away with all it owns. Its databases' own operations stand before it in the same
// lane, begun in the same batch, so they are over when it runs.
import { eq } from "drizzle-orm";
import { z } from "zod";
import { countProject } from "../account/quota.ts";
import type { Context } from "../core/context.ts";
import { laneOf } from "../database/create.ts";
import { beginDestroy as beginDatabaseDestroy } from "../database/destroy.ts";
import { databasesOf } from "../database/find.ts";
import { begin, type Do, defineOperation, next, waitFor } from "../operation/define.ts";
import { commitExclusively } from "../operation/find.ts";
import { type FoundProject, ownProjectId } from "./find.ts";
import { project } from "./table.ts";

const DestroyInput = z.object({ projectId: z.string(), organizationId: z.string() });
type DestroyInput = z.infer<typeof DestroyInput>;

const close: Do<DestroyInput> = async (context, { input }) => {
  const left = await databasesOf(context, ownProjectId(input.projectId));
  if (left.length > 0) return waitFor(1);
  const now = context.now();
  const change = { state: "purged", deletedAt: now, updatedAt: now } as const;
  return next(
    context.db.update(project).set(change).where(eq(project.id, input.projectId)),
    countProject(context, input.organizationId, -1),
  );
};

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
 * Begins to destroy a project and everything in it.
 * @throws ApiError 409 OPERATION_IN_PROGRESS while one of its databases is being changed.
 */
export async function beginDestroy(
  context: Context,
  { id, row }: FoundProject,
  requestId: string,
): Promise<string> {
  const databases = await databasesOf(context, id);
  const now = context.now();
  const operation = begin(
    context,
    destroyProject,
    {
      lane: laneOf(id),
      organizationId: row.organizationId,
      workspaceId: row.workspaceId,
      projectId: id,
      resourceId: id,
      requestId,
    },
    { projectId: id, organizationId: row.organizationId },
  );
  const ends = databases.map((each) => beginDatabaseDestroy(context, each.row, requestId));
  await commitExclusively(
    context,
    [id, ...databases.map((each) => each.row.id)],
    [
      ...ends.flatMap((end) => end.statements),
      operation.statement,
      context.db
        .update(project)
        .set({ state: "deleting", updatedAt: now })
        .where(eq(project.id, id)),
    ],
  );
  return operation.id;
}
