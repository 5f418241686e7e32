// Out of reach at once, gone for good after a grace time: until then everything is as it was, and
// an undelete brings it back at the same URL.
import { z } from "zod";
import type { Context } from "../core/context.ts";
import { driveMilliseconds } from "../core/route.ts";
import { begin, type Do, defineOperation, next, type Undo } from "../operation/define.ts";
import { commitExclusively } from "../operation/find.ts";
import { recordEvent } from "../webhook/event.ts";
import { changeDatabase, moveDatabase } from "./change.ts";
import { laneOf } from "./create.ts";
import { beginDestroy } from "./destroy.ts";
import type { PlacedDatabase } from "./find.ts";
import { loadDatabase } from "./load.ts";
import { permit } from "./permit.ts";
import { requireUnprotected } from "./protect.ts";
import type { DatabaseRow } from "./table.ts";

const DeleteInput = z.object({
  databaseId: z.string(),
  clusterId: z.string(),
  databaseName: z.string(),
  from: z.enum(["running", "stopped"]),
  purgeAt: z.number(),
});
type DeleteInput = z.infer<typeof DeleteInput>;

const holdClients: Do<DeleteInput> = async (context, { input }) => {
  await context.cluster.stopDatabase(input.clusterId, input.databaseName);
  return next();
};

const admitAgain: Undo<DeleteInput> = async (context, { input }) => {
  if (input.from === "running") {
    await context.cluster.startDatabase(input.clusterId, input.databaseName);
  }
  return [changeDatabase(context, input.databaseId, { state: input.from })];
};

const publish: Do<DeleteInput> = async (context, { input, operationId }) => {
  const { row } = await loadDatabase(context, input.databaseId);
  const purgeAt = new Date(input.purgeAt);
  const fact = { deletedAt: context.now(), purgeAt, stateBeforeDelete: input.from };
  const data = { purge_at: purgeAt.toISOString() };
  return next(
    changeDatabase(context, row.id, { state: "deleted", ...fact }),
    recordEvent(context, "database.deleted", row, { operationId, data }),
  );
};

/** `database.delete`: connections end and nobody gets in; the content stays until `purge_at`. */
export const deleteDatabaseOperation = defineOperation<DeleteInput>({
  name: "database.delete",
  input: DeleteInput,
  deadlineMinutes: 10,
  attemptsMax: 20,
  steps: {
    holdClients: { do: holdClients, undo: admitAgain },
    publish: { do: publish },
  },
});

/**
 * Begins to delete a database that lives; after `graceSeconds` it is gone for good, with 0 now.
 * @throws ApiError 409 DELETION_PROTECTED
 */
export function beginDelete(
  context: Context,
  row: DatabaseRow,
  graceSeconds: number,
  requestId: string | null,
) {
  // Of one that failed nothing is left in the cluster that could come back.
  if (graceSeconds === 0 || row.state === "failed") return beginDestroy(context, row, requestId);
  requireUnprotected(row);
  const { organizationId, workspaceId, projectId, id: resourceId } = row;
  const lane = laneOf(projectId);
  const subject = { lane, organizationId, workspaceId, projectId, resourceId, requestId };
  const { clusterId, databaseName, id: databaseId } = row;
  const from = row.state === "stopped" ? ("stopped" as const) : ("running" as const);
  const purgeAt = context.now().getTime() + graceSeconds * 1000;
  const input = { databaseId, clusterId, databaseName, from, purgeAt };
  const operation = begin(context, deleteDatabaseOperation, subject, input);
  const move = moveDatabase(context, row, "deleting");
  return { operationId: operation.id, statements: [move, operation.statement] };
}

/** How a deletion stands: `database` is null once it is gone for good. */
export interface Deletion {
  readonly operationId: string | null;
  readonly database: PlacedDatabase | null;
}

/**
 * Deletes a database and waits up to two seconds. One that is in its grace time stays as it is,
 * unless the new one ends earlier.
 * @throws ApiError 409 DELETION_PROTECTED, INVALID_STATE or OPERATION_IN_PROGRESS
 */
export async function deleteDatabase(
  context: Context,
  row: DatabaseRow,
  graceSeconds: number,
  requestId: string,
): Promise<Deletion> {
  await permit(context, row, "delete");
  if (row.state === "deleted" && graceSeconds > 0) {
    const purgeAt = new Date(context.now().getTime() + graceSeconds * 1000);
    const isEarlier = row.purgeAt !== null && purgeAt < row.purgeAt;
    if (isEarlier) {
      await commitExclusively(
        context,
        [row.id],
        [moveDatabase(context, row, "deleted", { purgeAt })],
      );
    }
    return { operationId: null, database: await loadDatabase(context, row.id) };
  }
  const { operationId, statements } = beginDelete(context, row, graceSeconds, requestId);
  await commitExclusively(context, [row.id], statements);
  await context.drive(laneOf(row.projectId), driveMilliseconds);
  const after = await loadDatabase(context, row.id);
  return { operationId, database: after.row.state === "purged" ? null : after };
}
