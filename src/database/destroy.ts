// Takes a database away for good. Law: nothing of it outlives its row but its backups, which its
// host keeps for their window.
import { type SQL, sql } from "drizzle-orm";
import { z } from "zod";
import type { Context } from "../core/context.ts";
import { release } from "../host/place.ts";
import { begin, type Do, defineOperation, next } from "../operation/define.ts";
import { recordEvent } from "../webhook/event.ts";
import { heldBackends } from "./backend.ts";
import { changeDatabase, moveDatabase } from "./change.ts";
import { laneOf } from "./create.ts";
import { loadDatabase } from "./load.ts";
import { isUnprotected, requireUnprotected } from "./protect.ts";
import type { DatabaseRow } from "./table.ts";

const DestroyInput = z.object({
  databaseId: z.string(),
  /** One that failed to be made has given its place back already. */
  hasPlace: z.boolean().optional(),
});
type DestroyInput = z.infer<typeof DestroyInput>;

const remove: Do<DestroyInput> = async (context, { input, operationId }) => {
  const { row } = await loadDatabase(context, input.databaseId);
  await context.host.command(row.hostId, "database.remove", { database: row.databaseName });
  const now = context.now();
  const isNew = row.deletedAt === null || input.hasPlace === false;
  const fact = { deletedAt: row.deletedAt ?? now, purgeAt: row.purgeAt ?? now };
  return next(
    changeDatabase(context, row.id, { state: "purged", ...fact }),
    ...(input.hasPlace !== false ? [release(context, row.hostId, heldBackends(row.id))] : []),
    ...(isNew ? [recordEvent(context, "database.deleted", row, { operationId })] : []),
    recordEvent(context, "database.purged", row, { operationId }),
  );
};

/** `database.destroy`: connections end, then its instance and its lines of the poolers go. */
export const destroy = defineOperation<DestroyInput>({
  name: "database.destroy",
  input: DestroyInput,
  deadlineMinutes: 60,
  attemptsMax: 20,
  pointOfNoReturn: "remove",
  steps: { remove: { do: remove } },
});

/**
 * Begins to destroy a database; a second active operation on it, or a protection that has come
 * meanwhile, aborts the batch.
 * @throws ApiError 409 DELETION_PROTECTED
 */
export function beginDestroy(context: Context, row: DatabaseRow, requestId: string | null) {
  requireUnprotected(row);
  return beginWhen(context, row, requestId, isUnprotected);
}

/** The same for one whose grace time is over; the batch aborts when it has a new one by now. */
export function beginPurge(context: Context, row: DatabaseRow) {
  return beginWhen(context, row, null, sql`purge_at <= ${context.now().getTime()}`);
}

/** The same for a branch whose time is over; the batch aborts when it was promoted meanwhile. */
export function beginExpiry(context: Context, row: DatabaseRow) {
  const isOver = sql`expires_at <= ${context.now().getTime()}`;
  return beginWhen(context, row, null, sql`${isUnprotected} and ${isOver}`);
}

/** The same for one that goes with its project, whose own end is checked in the same batch. */
export function beginDestroyWithProject(context: Context, row: DatabaseRow) {
  return beginWhen(context, row, null, sql`true`);
}

function beginWhen(context: Context, row: DatabaseRow, requestId: string | null, condition: SQL) {
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
  // A failed database releases its name, because another may already use it.
  const end = row.state === "failed" ? { deletedAt: context.now() } : {};
  const move = moveDatabase(context, row, "deleting", end, condition);
  return { operationId: operation.id, statements: [move, operation.statement] };
}
