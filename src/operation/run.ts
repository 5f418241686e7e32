// The engine. Law: a step's program counter moves in the same batch as the rows it changes, and
// only while the runner still holds the lease; so a crash anywhere repeats a step, never skips one.
import { and, asc, eq, lte, sql } from "drizzle-orm";
import type { Context } from "../core/context.ts";
import { messageOf, NothingDone, TerminalError, Unreached } from "../core/error.ts";
import { newId } from "../core/id.ts";
import {
  type AnyOperation,
  isPastReturn,
  type Outcome,
  type Registry,
  type Step,
  unreached,
} from "./define.ts";
import { isActive, type OperationRow, operation } from "./table.ts";
import { LeaseLost, transition } from "./transition.ts";

const backoffSecondsMax = 30;

/** When the lane has work again: null is never, by itself. */
export interface LaneRest {
  readonly dueAt: Date | null;
}

/**
 * Runs a lane's due operations one at a time, in the order they were begun, until none is due.
 * Called by one runner at a time; a second one fences the first out by taking the lease.
 */
export async function runLane(
  context: Context,
  registry: Registry,
  lane: string,
): Promise<LaneRest> {
  for (;;) {
    const { row, dueAt } = await lease(context, lane);
    if (row === null) return { dueAt };
    try {
      await runOperation(context, registry, row);
    } catch (error) {
      if (error instanceof LeaseLost) return { dueAt: null };
      await setAside(context, row, error);
    }
  }
}

// A defect, such as a kind this version does not know: it comes back later and later, and holds up
// nobody else in its lane meanwhile.
async function setAside(context: Context, row: OperationRow, error: unknown): Promise<void> {
  logFailure(context, row, failureOf(error), error);
  try {
    await transition(context, row, { runAfter: backoff(context, row.attempts) });
  } catch (lost) {
    if (!(lost instanceof LeaseLost)) throw error;
  }
}

// The lowest unfinished operation that is due: one that waits, or is to be retried later, does not
// hold up the others. An attempt counts before it runs, so that a step which kills its runner also
// meets the limit.
async function lease(context: Context, lane: string) {
  const now = context.now();
  const isOurs = and(eq(operation.lane, lane), isActive);
  const head = context.db
    .select({ id: operation.id })
    .from(operation)
    .where(and(isOurs, lte(operation.runAfter, now)))
    .orderBy(asc(operation.seq))
    .limit(1);
  const take = context.db
    .update(operation)
    .set({
      leaseToken: newId(context),
      status: sql`case status when 'pending' then 'running' else status end`,
      attempts: sql`attempts + 1`,
      startedAt: sql`coalesce(started_at, ${now.getTime()})`,
      updatedAt: now,
    })
    .where(eq(operation.id, head))
    .returning();
  const due = context.db
    .select({ at: operation.runAfter })
    .from(operation)
    .where(isOurs)
    .orderBy(asc(operation.runAfter))
    .limit(1);
  const [taken, rest] = await context.db.batch([take, due]);
  return { row: taken[0] ?? null, dueAt: rest[0]?.at ?? null };
}

async function runOperation(context: Context, registry: Registry, leased: OperationRow) {
  let row: OperationRow | null = leased;
  while (row !== null && row.runAfter <= context.now()) {
    const definition = registry.get(row.kind);
    if (definition === undefined) throw new Error(`No operation is called ${row.kind}.`);
    row =
      row.status === "unwinding"
        ? await undoStep(context, definition, row)
        : await doStep(context, definition, row);
  }
}

async function doStep(context: Context, definition: AnyOperation, row: OperationRow) {
  const stop = reasonToUnwind(context, definition, row);
  if (stop !== null) return await unwind(context, row, stop);
  try {
    const since = context.now().getTime();
    const outcome = await stepOf(definition, row).do(context, argumentsOf(definition, row));
    const took = { [row.step]: context.now().getTime() - since };
    const change = {
      ...forward(context, definition, row, outcome),
      stepMilliseconds: { ...row.stepMilliseconds, ...took },
    };
    return await transition(context, row, change, outcome);
  } catch (error) {
    if (error instanceof LeaseLost) throw error;
    const failure = failureOf(error);
    logFailure(context, row, failure, error);
    if (isFinal(error, definition, row)) {
      return await unwind(context, row, failure);
    }
    return await retry(context, row, failure);
  }
}

function isFinal(error: unknown, definition: AnyOperation, row: OperationRow): boolean {
  return (
    error instanceof NothingDone ||
    (error instanceof TerminalError && !isPastReturn(definition, row))
  );
}

function forward(
  context: Context,
  definition: AnyOperation,
  row: OperationRow,
  outcome: Outcome,
): Partial<OperationRow> {
  const now = context.now();
  if (outcome.kind === "waitFor") {
    return { runAfter: untilOf(definition, row, now, outcome.seconds), attempts: 0 };
  }
  const names = Object.keys(definition.steps);
  const at = names.indexOf(row.step);
  const to = outcome.kind === "goTo" ? outcome.step : names[at + 1];
  if (outcome.kind === "finish" || to === undefined) {
    return { status: "succeeded", stepsDone: row.stepsTotal, finishedAt: now, ...noError };
  }
  return { step: to, stepsDone: names.indexOf(to), attempts: 1, ...noError };
}

// Nobody waits beyond the deadline, where it unwinds.
function untilOf(definition: AnyOperation, row: OperationRow, now: Date, seconds: number): Date {
  const until = new Date(now.getTime() + seconds * 1000);
  return until > row.deadlineAt && !isPastReturn(definition, row) ? row.deadlineAt : until;
}

async function undoStep(context: Context, definition: AnyOperation, row: OperationRow) {
  const names = Object.keys(definition.steps);
  const before = names[names.indexOf(row.step) - 1];
  const change: Partial<OperationRow> =
    before === undefined
      ? {
          status: row.cancelRequestedAt === null ? "failed" : "canceled",
          stepsDone: 0,
          finishedAt: context.now(),
        }
      : { step: before, stepsDone: names.indexOf(before), attempts: 1 };
  try {
    const undo = stepOf(definition, row).undo;
    const statements = (await undo?.(context, argumentsOf(definition, row))) ?? [];
    return await transition(context, row, change, { statements });
  } catch (error) {
    if (error instanceof LeaseLost) throw error;
    logFailure(context, row, failureOf(error), error);
    return await transition(context, row, { runAfter: backoff(context, row.attempts) });
  }
}

const noError = { errorCode: null, errorMessage: null };

interface Failure {
  readonly code: string;
  readonly message: string;
}

function reasonToUnwind(
  context: Context,
  definition: AnyOperation,
  row: OperationRow,
): Failure | null {
  if (isPastReturn(definition, row)) return null;
  if (row.cancelRequestedAt !== null) {
    return { code: "CANCELED", message: "Canceled by request." };
  }
  const last = row.errorMessage === null ? "" : ` Last error: ${row.errorMessage}`;
  if (row.deadlineAt <= context.now()) {
    return { code: "DEADLINE_EXCEEDED", message: `The deadline has passed.${last}` };
  }
  if (row.attempts > definition.attemptsMax) {
    return { code: "ATTEMPTS_EXHAUSTED", message: `Step ${row.step} kept failing.${last}` };
  }
  return null;
}

function unwind(context: Context, row: OperationRow, failure: Failure) {
  return transition(context, row, {
    status: "unwinding",
    attempts: 1,
    errorCode: failure.code,
    errorMessage: failure.message,
  });
}

function retry(context: Context, row: OperationRow, failure: Failure) {
  return transition(context, row, {
    runAfter: backoff(context, row.attempts),
    errorCode: failure.code,
    errorMessage: failure.message,
  });
}

// 0.25 s, doubled each time, at most half a minute; ±20 % so that lanes do not march in step.
function backoff(context: Context, attempts: number): Date {
  const seconds = Math.min(0.25 * 2 ** Math.min(attempts - 1, 10), backoffSecondsMax);
  const jitter = 0.8 + ((context.random(1)[0] ?? 0) / 255) * 0.4;
  return new Date(context.now().getTime() + seconds * jitter * 1000);
}

function stepOf(definition: AnyOperation, row: OperationRow): Step<unknown> {
  const step = definition.steps[row.step];
  if (step === undefined) throw new Error(`${definition.name} has no step ${row.step}.`);
  return step;
}

function argumentsOf(definition: AnyOperation, row: OperationRow) {
  const { errorCode, errorMessage, status } = row;
  const isUnwinding = status === "unwinding" && errorCode !== null;
  return {
    input: definition.input.parse(row.input) as unknown,
    operationId: row.id,
    attempt: row.attempts,
    lastCode: errorCode,
    failure: isUnwinding ? { code: errorCode, message: errorMessage ?? "" } : null,
  };
}

// The caller reads this text: a TerminalError was written for them, anything else was not.
function failureOf(error: unknown): Failure {
  if (error instanceof TerminalError) return { code: error.code, message: error.message };
  if (error instanceof Unreached) {
    return { code: unreached, message: "The host does not answer; it is tried again." };
  }
  return { code: "STEP_FAILED", message: "The host did not carry out this step." };
}

function logFailure(context: Context, row: OperationRow, failure: Failure, error: unknown) {
  context.log({
    level: "warning",
    message: messageOf(error),
    operation_id: row.id,
    kind: row.kind,
    step: row.step,
    status: row.status,
    attempts: row.attempts,
    code: failure.code,
  });
}
