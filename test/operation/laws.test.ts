// The five laws, for every operation of the registry. Nothing opts in; an operation without a
// scenario fails by name.
import { describe, expect, test } from "vitest";
import type { AnyOperation } from "../../src/operation/define.ts";
import { registry } from "../../workers/registry.ts";
import {
  type Change,
  canceledAt,
  doneTwice,
  failingAt,
  type Played,
  play,
  undoneTwice,
} from "../support/play.ts";
import { scenarioOf } from "../support/scenario.ts";

const moments = ["before", "after"] as const;

/** Steps that may be taken back; from the others on there is only forward. */
function returningSteps({ steps, pointOfNoReturn }: AnyOperation): string[] {
  const names = Object.keys(steps);
  return pointOfNoReturn === undefined ? names : names.slice(0, names.indexOf(pointOfNoReturn));
}

/** Plays with the runner lost around the first call, the second, … until one outlives the play. */
async function playCrashes(
  definition: AnyOperation,
  changes: readonly Change[],
  check: (played: Played) => void,
): Promise<void> {
  for (const when of moments) {
    for (let call = 1; ; call++) {
      const played = await play(definition, { changes, crash: { call, when } });
      if (!played.hasCrashed) break;
      check(played);
    }
  }
}

test("an operation without a scenario fails by name", async () => {
  await expect(scenarioOf("database.teleport")).rejects.toThrow(
    "database.teleport needs a scenario for the laws: write " +
      "test/support/scenario/database-teleport.ts.",
  );
});

describe.each([...registry.values()])("$name", (definition) => {
  const steps = Object.keys(definition.steps);
  const returning = returningSteps(definition);
  const lastReturning = returning.at(-1);
  const unwinding = lastReturning === undefined ? [] : [failingAt(lastReturning, "after")];

  test("succeeds; what takes something away leaves nothing", async () => {
    const { status, isClean } = await play(definition);
    expect({ status, isClean }).toEqual({ status: "succeeded", isClean: returning.length === 0 });
  });

  test("each step run twice succeeds, with the same end", async () => {
    const undisturbed = await play(definition);
    const { status, end } = await play(definition, { changes: [doneTwice] });
    expect(status).toBe("succeeded");
    expect(end).toEqual(undisturbed.end);
  });

  test("each call to the host may fail once, with the same end", async () => {
    const undisturbed = await play(definition);
    for (const failure of moments) {
      for (let call = 1; call <= undisturbed.hostCalls; call++) {
        const { status, end } = await play(definition, { refusal: { call, failure } });
        expect(status).toBe("succeeded");
        expect(end).toEqual(undisturbed.end);
      }
    }
  });

  test.each(returning)("failing at %s unwinds to a clean slate", async (step) => {
    for (const when of moments) {
      const played = await play(definition, { changes: [failingAt(step, when)] });
      expect(played).toMatchObject({
        status: "failed",
        errorCode: "TOLD_TO_FAIL",
        isClean: true,
      });
    }
  });

  test("each undo run twice unwinds to the same clean slate", async () => {
    const once = await play(definition, { changes: unwinding });
    const twice = await play(definition, { changes: [...unwinding, undoneTwice] });
    expect(twice.status).toBe(once.status);
    expect(twice.isClean).toBe(true);
    expect(twice.end).toEqual(once.end);
  });

  test("a crash around any effect or write resumes to the same end", async () => {
    expect.hasAssertions();
    const undisturbed = await play(definition);
    await playCrashes(definition, [], ({ status, end }) => {
      expect(status).toBe("succeeded");
      expect(end).toEqual(undisturbed.end);
    });
  });

  test("a crash around any effect or write of unwinding resumes to a clean slate", async () => {
    expect.hasAssertions();
    const undisturbed = await play(definition, { changes: unwinding });
    await playCrashes(definition, unwinding, ({ status, end, isClean }) => {
      expect({ status, isClean }).toEqual({ status: undisturbed.status, isClean: true });
      expect(end).toEqual(undisturbed.end);
    });
  });

  test.each(steps)("a cancel at %s ends", async (step) => {
    const { status, isClean } = await play(definition, { changes: [canceledAt(step)] });
    // Past the last step that returns, and in the very last one, it is too late to cancel.
    const isTooLate = step === steps.at(-1) || !returning.includes(nextOf(step));
    if (isTooLate) expect(status).toBe("succeeded");
    else expect({ status, isClean }).toEqual({ status: "canceled", isClean: true });
  });

  function nextOf(step: string): string {
    return steps[steps.indexOf(step) + 1] ?? "";
  }
});
