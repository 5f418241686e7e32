import { and, count, desc, eq, inArray, lt, sql } from "drizzle-orm";
import type { Actor } from "../core/actor.ts";
import { commit, type Statement, violatedConstraint } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { type ApiError, conflict, notFound } from "../core/error.ts";
import type { PageRequest } from "../core/page.ts";
import { isActive, type OperationRow, type OperationStatus, operation, operator } from "./table.ts";

/** Which operations of a list are wanted; what is undefined does not filter. */
export interface OperationFilter {
  readonly projectId?: string | undefined;
  readonly resourceId?: string | undefined;
  readonly status?: OperationStatus | undefined;
  readonly kind?: string | undefined;
}

/** @throws ApiError 404 */
export async function findOperation(
  context: Context,
  actor: Actor,
  id: string,
): Promise<OperationRow> {
  const [row] = await context.db
    .select()
    .from(operation)
    .where(and(visibleTo(actor), eq(operation.id, id)));
  if (row === undefined) throw notFound("operation");
  return row;
}

/** A page of operations, newest first, and how many there are. */
export async function listOperations(
  context: Context,
  actor: Actor,
  filter: OperationFilter,
  page: PageRequest,
) {
  const matches = and(
    visibleTo(actor),
    filter.projectId === undefined ? undefined : eq(operation.projectId, filter.projectId),
    filter.resourceId === undefined ? undefined : eq(operation.resourceId, filter.resourceId),
    filter.status === undefined ? undefined : eq(operation.status, filter.status),
    filter.kind === undefined ? undefined : eq(operation.kind, filter.kind),
  );
  const [rows, totals] = await context.db.batch([
    context.db
      .select()
      .from(operation)
      .where(and(matches, page.beforeSeq === null ? undefined : lt(operation.seq, page.beforeSeq)))
      .orderBy(desc(operation.seq))
      .limit(page.limit)
      .offset(page.offset),
    context.db.select({ total: count() }).from(operation).where(matches),
  ]);
  return { rows, total: totals[0]?.total ?? 0 };
}

/** The active operation of each resource that has one. */
export async function activeOperations(
  context: Context,
  resourceIds: readonly string[],
): Promise<ReadonlyMap<string, OperationRow>> {
  if (resourceIds.length === 0) return new Map();
  const rows = await context.db
    .select()
    .from(operation)
    .where(and(inArray(operation.resourceId, [...resourceIds]), isActive));
  return new Map(rows.map((row) => [row.resourceId, row]));
}

/**
 * Commits what begins an operation on a resource.
 * @throws ApiError 409 OPERATION_IN_PROGRESS, naming the other operation, when one is active, also
 *   when what aborted the batch is that the other has moved the resource's state.
 */
export async function commitExclusively(
  context: Context,
  resourceIds: readonly string[],
  statements: readonly Statement[],
): Promise<void> {
  try {
    await commit(context, statements);
  } catch (error) {
    const violated = violatedConstraint(error);
    const isBusy = violated === "operation.resource_id";
    if (!isBusy && violated?.endsWith(".state") !== true) throw error;
    const [other] = (await activeOperations(context, resourceIds)).values();
    if (!isBusy && other === undefined) throw error;
    throw refuseBusy(other);
  }
}

/** 409 OPERATION_IN_PROGRESS naming the operation that is under way, as far as it is known. */
export function refuseBusy(other: OperationRow | undefined): ApiError {
  return conflict(
    "OPERATION_IN_PROGRESS",
    `Another operation is under way${other === undefined ? "" : ` (${other.kind})`}; ` +
      "wait for it to end.",
    { operation_id: other?.id ?? null, kind: other?.kind ?? null },
  );
}

function visibleTo(actor: Actor) {
  const own = [actor.organizationId, ...(actor.isAdmin ? [operator] : [])];
  return and(
    inArray(operation.organizationId, own),
    actor.workspaceId === null ? undefined : eq(operation.workspaceId, actor.workspaceId),
    actor.externalUserId === null ? undefined : isOfUser(actor.externalUserId),
  );
}

// Work on the user's projects and databases. Their tables are right of this folder, so their names
// are given to SQLite alone.
function isOfUser(externalUserId: string) {
  return sql`(${operation.projectId} in
      (select p.id from project p where p.external_user_id = ${externalUserId})
    or ${operation.resourceId} in
      (select d.id from database d where d.external_user_id = ${externalUserId}))`;
}
