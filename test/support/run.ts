// Runs lanes to their end without waiting: the clock moves to when the lane is due again.
import { desc, eq } from "drizzle-orm";
import type { Registry } from "../../src/operation/define.ts";
import { runLane } from "../../src/operation/run.ts";
import { type OperationRow, operation } from "../../src/operation/table.ts";
import { registry as wholeRegistry } from "../../workers/registry.ts";
import type { TestContext } from "./context.ts";
import { Crash, type CrashPoint } from "./crash.ts";

// Deadlines end every operation long before; more is an endless loop.
const restsMax = 1000;

/** How a run may differ from an undisturbed one. */
export interface RunOptions {
  readonly registry?: Registry;
  /** The first runner dies there; a second one takes over. */
  readonly crash?: CrashPoint;
}

/** Runs a lane until nothing is left to do. True when its first runner crashed. */
export async function runToEnd(
  { clock, createRunner }: TestContext,
  lane: string,
  { registry = wholeRegistry, crash }: RunOptions = {},
): Promise<boolean> {
  let { context, hasCrashed } = createRunner(crash ?? null);
  const isFirstDead = hasCrashed;
  for (let rests = 0; rests < restsMax; rests++) {
    try {
      const { dueAt } = await runLane(context, registry, lane);
      if (dueAt === null) return isFirstDead();
      clock.advanceTo(dueAt);
    } catch (error) {
      if (!isCrash(error)) throw error;
      ({ context, hasCrashed } = createRunner(null));
    }
  }
  throw new Error(`Lane ${lane} never comes to rest.`);
}

/** The latest operation of a kind. */
export async function latest({ context }: TestContext, kind: string): Promise<OperationRow> {
  const [row] = await context.db
    .select()
    .from(operation)
    .where(eq(operation.kind, kind))
    .orderBy(desc(operation.seq))
    .limit(1);
  if (row === undefined) throw new Error(`No ${kind} was begun.`);
  return row;
}

function isCrash(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof Crash) return true;
  }
  return false;
}
