// Plays an operation from an empty house to its end, with its steps changed or its runner killed.
import { commit } from "../../src/core/batch.ts";
import { TerminalError } from "../../src/core/error.ts";
import { requestCancel } from "../../src/operation/cancel.ts";
import type { AnyOperation, Registry, Step } from "../../src/operation/define.ts";
import { registry } from "../../workers/registry.ts";
import { createTestContext } from "./context.ts";
import type { CrashPoint } from "./crash.ts";
import type { Failure } from "./fake-host.ts";
import { latest, runToEnd } from "./run.ts";
import { scenarioOf } from "./scenario.ts";
import { snapshot } from "./snapshot.ts";

/** Makes another step of a step of this name. */
export type Change = (step: Step<unknown>, name: string) => Step<unknown>;

/** Each step has its effect twice before its outcome is recorded. */
export const doneTwice: Change = (step) => ({
  ...step,
  do: async (context, input) => {
    await step.do(context, input);
    return step.do(context, input);
  },
});

/** Each undo has its effect twice before it is recorded. */
export const undoneTwice: Change = ({ undo, ...step }) => {
  if (undo === undefined) return step;
  return {
    ...step,
    undo: async (context, input) => {
      await undo(context, input);
      return undo(context, input);
    },
  };
};

/** The step called `at` fails for good, before its effect or after it. */
export function failingAt(at: string, when: Failure): Change {
  return (step, name) => ({
    ...step,
    do: async (context, input) => {
      if (name !== at) return step.do(context, input);
      if (when === "after") await step.do(context, input);
      throw new TerminalError("TOLD_TO_FAIL", "The test said no.");
    },
  });
}

/** Somebody asks to cancel while the step called `at` runs. */
export function canceledAt(at: string): Change {
  return (step, name) => ({
    ...step,
    do: async (context, input) => {
      const outcome = await step.do(context, input);
      const isOver = name === at && outcome.kind !== "waitFor";
      if (isOver) await commit(context, [requestCancel(context, input.operationId)]);
      return outcome;
    },
  });
}

/** What disturbs a play. */
export interface Disturbance {
  readonly changes?: readonly Change[];
  readonly crash?: CrashPoint;
  /** One call to the host, counted from the operation's first, that fails once. */
  readonly refusal?: { readonly call: number; readonly failure: Failure };
}

/** Sets the stage of an operation, runs its lane to the end, and looks at what is there then. */
export async function play(definition: AnyOperation, disturbance: Disturbance = {}) {
  const scenario = await scenarioOf(definition.name);
  const test = await createTestContext();
  const { lane } = await scenario.begin(test);
  const { changes = [], crash, refusal } = disturbance;
  const callsBefore = test.host.calls.length;
  if (refusal !== undefined) test.host.failAt(refusal.call, refusal.failure);
  const changedRegistry = changed(definition, changes);
  const hasCrashed = await runToEnd(test, lane, {
    registry: changedRegistry,
    ...(crash === undefined ? {} : { crash }),
  });
  const { status, errorCode, stepsDone, attempts } = await latest(test, definition.name);
  return {
    status,
    errorCode,
    stepsDone,
    attempts,
    hasCrashed,
    isClean: await scenario.isClean(test),
    end: await snapshot(test),
    hostCalls: test.host.calls.length - callsBefore,
  };
}
export type Played = Awaited<ReturnType<typeof play>>;

function changed(definition: AnyOperation, changes: readonly Change[]): Registry {
  const steps = Object.entries(definition.steps).map(([name, step]) => [
    name,
    changes.reduce((before, change) => change(before, name), step),
  ]);
  const after = { ...definition, steps: Object.fromEntries(steps) };
  return new Map(registry).set(definition.name, after);
}
