// Takes a database away for good. Law: nothing in the cluster outlives its row.
import { z } from "zod";
import { release } from "../cluster/place.ts";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { begin, type Do, defineOperation, next } from "../operation/define.ts";
import { recordEvent } from "../webhook/event.ts";
import { changeDatabase, moveDatabase } from "./change.ts";
import { laneOf } from "./create.ts";
import { loadDatabase } from "./load.ts";
import { requireUnprotected } from "./protect.ts";
import type { DatabaseRow } from "./table.ts";

const DestroyInput = z.object({
  databaseId: z.string(),
  /** One that failed to be made has given its place back already. */
  hasPlace: z.boolean().optional(),
});
type DestroyInput = z.infer<typeof DestroyInput>;

const drop: Do<DestroyInput> = async (context, { input }) => {
  const { row } = await loadDatabase(context, input.databaseId);
  await context.cluster.dropDatabase(row.clusterId, namesOf(row));
  return next();
};

const forget: Do<DestroyInput> = async (context, { input, operationId }) => {
  const { row } = await loadDatabase(context, input.databaseId);
  await context.cluster.forgetDatabase(row.clusterId, row.databaseName);
  const deletedAt = row.deletedAt ?? context.now();
  return next(
    changeDatabase(context, row.id, { state: "purged", deletedAt }),
    ...(input.hasPlace !== false ? [release(context, row.clusterId)] : []),
    recordEvent(context, "database.purged", row, { operationId }),
  );
};

function namesOf({ databaseName, ownerRole, loginRole }: DatabaseRow) {
  return { databaseName, ownerRole, loginRole };
}

/** `database.destroy`: connections end, then the database, its roles and its pooler lines go. */
export const destroy = defineOperation<DestroyInput>({
  name: "database.destroy",
  input: DestroyInput,
  deadlineMinutes: 60,
  attemptsMax: 20,
  pointOfNoReturn: "drop",
  steps: {
    drop: { do: drop },
    forget: { do: forget },
  },
});

/**
 * Begins to destroy a database; a second active operation on it aborts the batch.
 * @throws ApiError 409 DELETION_PROTECTED
 */
export function beginDestroy(context: Context, row: DatabaseRow, requestId: string | null) {
  requireUnprotected(row);
  const operation = begin(
    context,
    destroy,
    {
      lane: laneOf(row.projectId),
      organizationId: row.organizationId,
      workspaceId: row.workspaceId,
      projectId: row.projectId,
      resourceId: row.id,
      requestId,
    },
    { databaseId: row.id, hasPlace: row.state !== "failed" },
  );
  const statements: Statement[] = [moveDatabase(context, row, "deleting"), operation.statement];
  return { operationId: operation.id, statements };
}
