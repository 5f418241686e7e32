// What is past its deadline and has not ended becomes an alert, which goes when the operation ends.
import { and, asc, eq, lte, not, or, type SQL, sql } from "drizzle-orm";
import { type NewAlert, raiseAlert, resolveAlerts } from "../alert/raise.ts";
import { alert, isOpen } from "../alert/table.ts";
import { commit } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { isPastReturn, type Registry } from "./define.ts";
import { isActive, type OperationRow, operation } from "./table.ts";

// One that can still be taken back has so long to do it, once its lane looks at it.
const graceSeconds = 60;
const alertsMax = 100;
const kinds = ["operation_overdue", "undo_failing"] as const;

/**
 * Raises an alert for each operation that outlived its deadline, and resolves those of operations
 * that have ended; how many were raised.
 */
export async function watchDeadlines(context: Context, registry: Registry): Promise<number> {
  const raised = (await findLate(context)).flatMap((row) => alertOf(context, registry, row));
  await commit(context, [
    ...kinds.map((kind) => resolveAlerts(context, kind, not(stillRuns(alert.subject)))),
    ...raised.map((each) => raiseAlert(context, each)),
  ]);
  return raised.length;
}

// Those with an alert of their own are left out, so that the limit holds up none.
function findLate(context: Context): Promise<OperationRow[]> {
  const hasAlert = (kind: NewAlert["kind"]) =>
    sql`exists (select 1 from ${alert} where ${and(
      eq(alert.kind, kind),
      eq(alert.subject, operation.id),
      isOpen,
    )})`;
  const isUnwinding = sql`status = 'unwinding'`;
  return context.db
    .select()
    .from(operation)
    .where(
      and(
        isActive,
        lte(operation.deadlineAt, context.now()),
        or(
          and(isUnwinding, not(hasAlert("undo_failing"))),
          and(not(isUnwinding), not(hasAlert("operation_overdue"))),
        ),
      ),
    )
    .orderBy(asc(operation.deadlineAt))
    .limit(alertsMax);
}

function alertOf(context: Context, registry: Registry, row: OperationRow): NewAlert[] {
  const definition = registry.get(row.kind);
  const mayReturn = definition === undefined || !isPastReturn(definition, row);
  const lateSeconds = (context.now().getTime() - row.deadlineAt.getTime()) / 1000;
  if (mayReturn && lateSeconds < graceSeconds) return [];
  const isUnwinding = row.status === "unwinding";
  const stays = isUnwinding ? "cannot be taken back at" : "has not ended; it stands at";
  return [
    {
      kind: isUnwinding ? "undo_failing" : "operation_overdue",
      subject: row.id,
      message: `${row.kind} is past its deadline and ${stays} step ${row.step}. It is retried.`,
      details: detailsOf(row),
    },
  ];
}

function detailsOf(row: OperationRow) {
  const { kind, lane, status, step, attempts, resourceId, errorCode, errorMessage } = row;
  return {
    operation_kind: kind,
    lane,
    status,
    step,
    attempts,
    resource_id: resourceId,
    organization_id: row.organizationId,
    deadline_at: row.deadlineAt.toISOString(),
    error: errorCode === null ? null : { code: errorCode, message: errorMessage },
  };
}

function stillRuns(id: typeof alert.subject): SQL {
  return sql`exists (select 1 from ${operation} where ${and(eq(operation.id, id), isActive)})`;
}
