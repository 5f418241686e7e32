import { sql } from "drizzle-orm";
import { index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { idColumn, seqColumn, timeColumn, timeColumns } from "../core/column.ts";

/** States of an operation; the first three are active. */
export const operationStatuses = [
  "pending",
  "running",
  "unwinding",
  "succeeded",
  "failed",
  "canceled",
] as const;

/** One state of an operation. */
export type OperationStatus = (typeof operationStatuses)[number];

/** As the partial indexes say it, word for word: with bound values SQLite would not use them. */
export const isActive = sql`status in ('pending', 'running', 'unwinding')`;

/** Long work: which step comes next, and everything needed to go on after a crash. */
export const operation = sqliteTable(
  "operation",
  {
    seq: seqColumn(),
    id: idColumn(),
    organizationId: text("organization_id").notNull(),
    workspaceId: text("workspace_id"),
    projectId: text("project_id"),
    /** What it works on: the id of a database, a project, a host. */
    resourceId: text("resource_id").notNull(),
    /** What is done one at a time, such as `project:<id>`. */
    lane: text("lane").notNull(),
    kind: text("kind").notNull(),
    status: text("status", { enum: operationStatuses }).notNull(),
    /** The step to do next or, while unwinding, to undo next. */
    step: text("step").notNull(),
    stepsDone: integer("steps_done").notNull(),
    stepsTotal: integer("steps_total").notNull(),
    /** How often the step was begun. */
    attempts: integer("attempts").notNull(),
    /** Ids and numbers a step needs; never a secret. */
    input: text("input", { mode: "json" }).$type<Record<string, unknown>>().notNull(),
    /** Milliseconds each finished step took, by its name. */
    stepMilliseconds: text("step_milliseconds", { mode: "json" })
      .$type<Record<string, number>>()
      .notNull()
      .default({}),
    /** Fences out a runner whose lane was taken over: every transition must present it. */
    leaseToken: text("lease_token").notNull(),
    errorCode: text("error_code"),
    errorMessage: text("error_message"),
    cancelRequestedAt: timeColumn("cancel_requested_at"),
    runAfter: timeColumn("run_after").notNull(),
    deadlineAt: timeColumn("deadline_at").notNull(),
    startedAt: timeColumn("started_at"),
    finishedAt: timeColumn("finished_at"),
    requestId: text("request_id"),
    ...timeColumns(),
  },
  (t) => [
    uniqueIndex("operation_active_of_resource").on(t.resourceId).where(isActive),
    index("operation_active_of_lane").on(t.lane, t.seq).where(isActive),
    index("operation_of_organization").on(t.organizationId, t.seq),
    index("operation_of_resource").on(t.resourceId, t.seq),
  ],
);

/** One row of the table. */
export type OperationRow = typeof operation.$inferSelect;

/** Whose an operation is that belongs to no customer, in place of an organization's id. */
export const operator = "operator";
