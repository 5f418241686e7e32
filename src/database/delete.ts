// Out of reach at once, gone for good after a grace time: until then everything is as it was, and
// an undelete brings it back at the same URL.
import { and, eq, sql } from "drizzle-orm";
import { z } from "zod";
import { commit, type Statement } from "../core/batch.ts";
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
import { isUnprotected, requireUnprotected } from "./protect.ts";
import { type DatabaseRow, database } from "./table.ts";

const DeleteInput = z.object({
  databaseId: z.string(),
  hostId: z.string(),
  databaseName: z.string(),
  from: z.enum(["running", "stopped"]),
  purgeAt: z.number(),
});
type DeleteInput = z.infer<typeof DeleteInput>;

const holdClients: Do<DeleteInput> = async (context, { input }) => {
  await context.host.command(input.hostId, "database.stop", { database: input.databaseName });
  return next();
};

const admitAgain: Undo<DeleteInput> = async (context, { input }) => {
  if (input.from === "running") {
    await context.host.command(input.hostId, "database.start", { database: input.databaseName });
  }
  const asBefore = { state: input.from, deletedWithProject: false };
  return [changeDatabase(context, input.databaseId, asBefore)];
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

/** When what is deleted is gone for good, and whether it goes with its project. */
export interface Grace {
  readonly purgeAt: Date;
  readonly withProject: boolean;
}

/**
 * Begins to delete a database that lives. The batch aborts when it is protected by now.
 * @throws ApiError 409 DELETION_PROTECTED
 */
export function beginDelete(
  context: Context,
  row: DatabaseRow,
  { purgeAt, withProject }: Grace,
  requestId: string | null,
) {
  requireUnprotected(row);
  const { organizationId, workspaceId, projectId, id: resourceId } = row;
  const lane = laneOf(projectId);
  const subject = { lane, organizationId, workspaceId, projectId, resourceId, requestId };
  const { hostId, databaseName, id: databaseId } = row;
  const from = row.state === "stopped" ? ("stopped" as const) : ("running" as const);
  const input = { databaseId, hostId, databaseName, from, purgeAt: purgeAt.getTime() };
  const operation = begin(context, deleteDatabaseOperation, subject, input);
  const move = moveDatabase(
    context,
    row,
    "deleting",
    { deletedWithProject: withProject },
    isUnprotected,
  );
  return { operationId: operation.id, statements: [move, operation.statement] };
}

/** How a deletion stands: `database` is null once it is gone for good. */
export interface Deletion {
  readonly operationId: string | null;
  readonly database: PlacedDatabase | null;
}

/**
 * Deletes a database and waits up to two seconds; with 0 seconds of grace it is destroyed. One in
 * its grace time stays as it is, but for an end that is earlier now.
 * @throws ApiError 409 DELETION_PROTECTED, INVALID_STATE or OPERATION_IN_PROGRESS
 */
export async function deleteDatabase(
  context: Context,
  row: DatabaseRow,
  graceSeconds: number,
  requestId: string,
): Promise<Deletion> {
  await permit(context, row, "delete");
  const purgeAt = new Date(context.now().getTime() + graceSeconds * 1000);
  if (row.state === "deleted" && graceSeconds > 0) {
    await commit(context, [moveDatabase(context, row, "deleted", sooner(purgeAt))]);
    return { operationId: null, database: await loadDatabase(context, row.id) };
  }
  // Of one that failed nothing is left on the host that could come back.
  const isFinal = graceSeconds === 0 || row.state === "failed";
  const { operationId, statements } = isFinal
    ? beginDestroy(context, row, requestId)
    : beginDelete(context, row, { purgeAt, withProject: false }, requestId);
  await commitExclusively(context, [row.id], statements);
  await context.drive(laneOf(row.projectId), driveMilliseconds);
  const after = await loadDatabase(context, row.id);
  return { operationId, database: after.row.state === "purged" ? null : after };
}

/** Brings the end of databases forward that went with their project; it is never put off. */
export function hastenPurges(context: Context, projectId: string, purgeAt: Date): Statement {
  return context.db
    .update(database)
    .set({ ...sooner(purgeAt), updatedAt: context.now() })
    .where(
      and(
        eq(database.projectId, projectId),
        eq(database.state, "deleted"),
        eq(database.deletedWithProject, true),
      ),
    );
}

function sooner(purgeAt: Date) {
  return { purgeAt: sql`min(purge_at, ${purgeAt.getTime()})` };
}
