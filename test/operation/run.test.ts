// The engine: a lane in order, retries, limits, waiting, jumps, leases, cancels.
import { asc } from "drizzle-orm";
import { beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { commit } from "../../src/core/batch.ts";
import { TerminalError } from "../../src/core/error.ts";
import { requestCancel } from "../../src/operation/cancel.ts";
import {
  begin,
  defineOperation,
  finish,
  goTo,
  next,
  type OperationDefinition,
  registryOf,
  type Step,
  waitFor,
} from "../../src/operation/define.ts";
import { runLane } from "../../src/operation/run.ts";
import { operation } from "../../src/operation/table.ts";
import { LeaseLost } from "../../src/operation/transition.ts";
import { createTestContext, type TestContext } from "../support/context.ts";
import { runToEnd } from "../support/run.ts";

const lane = "project:1";
const Input = z.object({ name: z.string() });
type Input = z.infer<typeof Input>;

let house: TestContext;
let events: string[];

beforeEach(async () => {
  house = await createTestContext();
  events = [];
});

function define(
  steps: Record<string, Step<Input>>,
  changes: Partial<OperationDefinition<Input>> = {},
) {
  const fixed = { name: "test.operation", input: Input, deadlineMinutes: 10, attemptsMax: 5 };
  return defineOperation<Input>({ ...fixed, steps, ...changes });
}

/** A step that notes itself and its undo. */
const noted = (name: string): Step<Input> => ({
  do: async (_, { input }) => {
    events.push(`${input.name}.${name}`);
    return next();
  },
  undo: async (_, { input }) => {
    events.push(`${input.name}.undo ${name}`);
    return [];
  },
});

async function start(definition: OperationDefinition<Input>, name = "a", inLane = lane) {
  const { context } = house;
  const subject = {
    lane: inLane,
    organizationId: "o",
    workspaceId: null,
    projectId: null,
    resourceId: name,
  };
  const { id, statement } = begin(context, definition, subject, { name });
  await commit(context, [statement]);
  return id;
}

const rows = () => house.context.db.select().from(operation).orderBy(asc(operation.seq));

async function end(definition: OperationDefinition<Input>) {
  await runToEnd(house, lane, { registry: registryOf(definition) });
  const [row] = await rows();
  return row;
}

describe("a lane", () => {
  test("runs its operations in the order they were begun, each to its end", async () => {
    const definition = define({ one: noted("one"), two: noted("two") });
    for (const name of ["a", "b", "c"]) await start(definition, name);
    await runLane(house.context, registryOf(definition), lane);
    expect(events).toEqual(["a.one", "a.two", "b.one", "b.two", "c.one", "c.two"]);
  });

  test("leaves other lanes alone", async () => {
    const definition = define({ one: noted("one") });
    await start(definition, "a", "project:2");
    const { dueAt } = await runLane(house.context, registryOf(definition), lane);
    expect(dueAt).toBeNull();
    expect(events).toEqual([]);
  });

  test("goes on with the second while the first waits, and rests until that is due", async () => {
    const slow = define({ slow: { do: async () => waitFor(30) } }, { name: "test.slow" });
    const quick = define({ one: noted("one") });
    await start(slow, "a");
    await start(quick, "b");
    const { dueAt } = await runLane(house.context, registryOf(slow, quick), lane);
    expect(dueAt?.getTime()).toBe(house.clock.now().getTime() + 30_000);
    expect((await rows()).map(({ status }) => status)).toEqual(["running", "succeeded"]);
  });

  test("goes on with the second when the first has failed", async () => {
    const definition = define({
      one: {
        do: async (_, { input }) => {
          if (input.name === "a") throw new TerminalError("NO", "No.");
          return next();
        },
      },
    });
    await start(definition, "a");
    await start(definition, "b");
    await runToEnd(house, lane, { registry: registryOf(definition) });
    expect((await rows()).map(({ status }) => status)).toEqual(["failed", "succeeded"]);
  });

  test("is not held up by an operation it does not know, nor runs hot on it", async () => {
    const definition = define({ one: noted("one") });
    await start(define({ one: noted("one") }, { name: "test.unknown" }));
    await start(definition, "b");
    const { dueAt } = await runLane(house.context, registryOf(definition), lane);
    expect(events).toEqual(["b.one"]);
    expect(dueAt?.getTime()).toBeGreaterThan(house.clock.now().getTime());
    expect(house.log.map(({ message }) => message)).toEqual([
      "No operation is called test.unknown.",
    ]);
  });

  test("looks at what it does not know ever later, and ends it once it knows", async () => {
    const definition = define({ one: noted("one") });
    await start(definition);
    for (let tries = 0; tries < 12; tries++) {
      const { dueAt } = await runLane(house.context, registryOf(), lane);
      house.clock.advanceTo(dueAt ?? house.clock.now());
    }
    const { dueAt } = await runLane(house.context, registryOf(), lane);
    const pauseSeconds = ((dueAt?.getTime() ?? 0) - house.clock.now().getTime()) / 1000;
    expect(pauseSeconds).toBeGreaterThan(20);
    house.clock.advance(60);
    await runLane(house.context, registryOf(definition), lane);
    expect((await rows())[0]?.status).toBe("failed");
  });

  test("is not held up by input that does not parse, which unwinds", async () => {
    const definition = define({ one: noted("one") });
    await start(definition);
    await house.context.db.update(operation).set({ input: { name: 7 } });
    await start(definition, "b");
    await runLane(house.context, registryOf(definition), lane);
    expect(events).toEqual(["b.one"]);
    house.clock.advance(3600);
    await runLane(house.context, registryOf(definition), lane);
    expect((await rows())[0]?.status).toBe("unwinding");
  });
});

describe("a step that fails", () => {
  /** Fails so many times before it succeeds. */
  const failing = (times: number, error = new Error("not now")): Step<Input> => ({
    do: async () => {
      events.push(house.clock.now().toISOString().slice(14, 23));
      if (events.length <= times) throw error;
      return next();
    },
    undo: noted("failing").undo ?? (async () => []),
  });

  test("is tried again after growing pauses until it succeeds", async () => {
    await start(define({ failing: failing(4) }));
    const row = await end(define({ failing: failing(4) }));
    expect(row).toMatchObject({ status: "succeeded", errorCode: null });
    const at = events.map((time) => Number(time.slice(3)));
    const pauses = at.slice(1).map((time, index) => time - (at[index] ?? 0));
    expect(pauses).toHaveLength(4);
    for (const [index, pause] of pauses.entries()) {
      const nominal = 0.25 * 2 ** index;
      expect(pause).toBeGreaterThanOrEqual(nominal * 0.79);
      expect(pause).toBeLessThanOrEqual(nominal * 1.21);
    }
  });

  test("never pauses for more than 36 seconds", async () => {
    const definition = define({ failing: failing(15) }, { attemptsMax: 20, deadlineMinutes: 60 });
    await start(definition);
    for (let run = 0; run < 16; run++) {
      const { dueAt } = await runLane(house.context, registryOf(definition), lane);
      if (dueAt === null) break;
      expect(dueAt.getTime() - house.clock.now().getTime()).toBeLessThanOrEqual(36_000);
      house.clock.advanceTo(dueAt);
    }
    expect((await rows())[0]?.status).toBe("succeeded");
  });

  test("unwinds after its attempts, with the last error in words for the caller", async () => {
    const definition = define({ one: noted("one"), failing: failing(99) }, { attemptsMax: 3 });
    await start(definition);
    const row = await end(definition);
    expect(row).toMatchObject({ status: "failed", errorCode: "ATTEMPTS_EXHAUSTED" });
    expect(row?.errorMessage).toMatch(/Step failing kept failing/);
    expect(row?.errorMessage).not.toContain("not now");
    expect(events.filter((event) => event.startsWith("a."))).toEqual([
      "a.one",
      "a.undo failing",
      "a.undo one",
    ]);
  });

  test("unwinds at once when it says that trying again is useless", async () => {
    const definition = define({ failing: failing(99, new TerminalError("GONE", "It is gone.")) });
    await start(definition);
    expect(await end(definition)).toMatchObject({
      status: "failed",
      errorCode: "GONE",
      errorMessage: "It is gone.",
    });
    expect(events).toHaveLength(2);
  });

  test("unwinds when the deadline has passed", async () => {
    const definition = define(
      { failing: failing(9999) },
      { attemptsMax: 9999, deadlineMinutes: 2 },
    );
    await start(definition);
    expect(await end(definition)).toMatchObject({
      status: "failed",
      errorCode: "DEADLINE_EXCEEDED",
    });
  });

  test("past the point of no return is tried beyond every limit", async () => {
    const definition = define(
      { failing: failing(8, new TerminalError("NO", "No.")) },
      { attemptsMax: 2, deadlineMinutes: 0.01, pointOfNoReturn: "failing" },
    );
    await start(definition);
    expect(await end(definition)).toMatchObject({ status: "succeeded" });
  });

  test("does not forget an undo that fails: it is tried until it succeeds", async () => {
    let left = 3;
    const stubborn: Step<Input> = {
      do: async () => {
        throw new TerminalError("NO", "No.");
      },
      undo: async () => {
        if (left-- > 0) throw new Error("not now");
        events.push("undone");
        return [];
      },
    };
    const definition = define({ stubborn });
    await start(definition);
    expect(await end(definition)).toMatchObject({ status: "failed", errorCode: "NO" });
    expect(events).toEqual(["undone"]);
  });

  test("is logged for the operator, with its operation and its step", async () => {
    const definition = define({ failing: failing(1) });
    const id = await start(definition);
    await end(definition);
    expect(house.log).toEqual([
      expect.objectContaining({ message: "not now", operation_id: id, step: "failing" }),
    ]);
  });
});

describe("an outcome", () => {
  test("nobody waits beyond the deadline", async () => {
    const definition = define({ wait: { do: async () => waitFor(86_400) } });
    await start(definition);
    const begun = house.clock.now().getTime();
    const row = await end(definition);
    expect(row).toMatchObject({ status: "failed", errorCode: "DEADLINE_EXCEEDED" });
    expect(house.clock.now().getTime() - begun).toBe(600_000);
  });

  test("waitFor comes back to the same step and is no failed attempt", async () => {
    let left = 8;
    const patient: Step<Input> = { do: async () => (left-- > 0 ? waitFor(2) : next()) };
    const definition = define({ patient }, { attemptsMax: 2 });
    await start(definition);
    const begun = house.clock.now().getTime();
    expect(await end(definition)).toMatchObject({ status: "succeeded" });
    expect(house.clock.now().getTime() - begun).toBe(16_000);
  });

  test("goTo leads to a step by name, forwards or back", async () => {
    let isFirst = true;
    const jump: Step<Input> = {
      do: async () => {
        events.push("jump");
        if (!isFirst) return goTo("last");
        isFirst = false;
        return goTo("one");
      },
    };
    const definition = define({ one: noted("one"), jump, two: noted("two"), last: noted("last") });
    await start(definition);
    expect(await end(definition)).toMatchObject({ status: "succeeded" });
    expect(events).toEqual(["a.one", "jump", "a.one", "jump", "a.last"]);
  });

  test("finish ends the operation before its last step", async () => {
    const early: Step<Input> = { do: async () => finish() };
    const definition = define({ early, two: noted("two") });
    await start(definition);
    expect(await end(definition)).toMatchObject({ status: "succeeded", stepsDone: 2 });
    expect(events).toEqual([]);
  });

  test("takes its statements into the batch that records it, all or none", async () => {
    const twice: Step<Input> = {
      do: async ({ db, now }, { operationId }) => {
        events.push("do");
        const rename = db.update(operation).set({ kind: "renamed", updatedAt: now() });
        const broken = db.update(operation).set({ step: null as unknown as string });
        if (events.length === 1) return next(rename, broken);
        const [row] = await db.select().from(operation);
        expect(row).toMatchObject({ id: operationId, kind: "test.operation" });
        return next();
      },
    };
    const definition = define({ twice });
    await start(definition);
    expect(await end(definition)).toMatchObject({ status: "succeeded" });
    expect(events).toEqual(["do", "do"]);
  });
});

describe("a second runner", () => {
  test("fences out the first: what that was about to record does not happen", async () => {
    let entered = 0;
    const { context } = house;
    const definition = define({
      one: {
        do: async (_, { input }) => {
          events.push(`do ${++entered}`);
          // While the first is at work, a second runner takes the lane and finishes it.
          if (entered === 1) await runLane(context, registryOf(definition), lane);
          const mark = { input: { name: `${input.name}+${entered}` } };
          return next(context.db.update(operation).set(mark));
        },
      },
    });
    await start(definition);
    const { dueAt } = await runLane(context, registryOf(definition), lane);
    expect(dueAt).toBeNull();
    expect(events).toEqual(["do 1", "do 2"]);
    expect((await rows())[0]).toMatchObject({ status: "succeeded", input: { name: "a+2" } });
  });

  test("is not taken for a failure of the step", async () => {
    const definition = define({
      one: {
        do: async () => {
          throw new LeaseLost();
        },
      },
    });
    await start(definition);
    await runLane(house.context, registryOf(definition), lane);
    expect((await rows())[0]).toMatchObject({ status: "running", errorCode: null });
    expect(house.log).toEqual([]);
  });
});

describe("a cancel", () => {
  const steps = () => ({ one: noted("one"), two: noted("two") });

  test("before the first step does nothing and undoes nothing but that step", async () => {
    const definition = define(steps());
    const id = await start(definition);
    await commit(house.context, [requestCancel(house.context, id)]);
    expect(await end(definition)).toMatchObject({ status: "canceled", errorCode: "CANCELED" });
    expect(events.filter((event) => !event.includes("undo"))).toEqual([]);
  });

  test("of an operation that waits takes effect at once", async () => {
    const definition = define({ one: noted("one"), wait: { do: async () => waitFor(3600) } });
    const id = await start(definition);
    await runLane(house.context, registryOf(definition), lane);
    await commit(house.context, [requestCancel(house.context, id)]);
    const { dueAt } = await runLane(house.context, registryOf(definition), lane);
    expect(dueAt).toBeNull();
    expect((await rows())[0]).toMatchObject({ status: "canceled" });
    expect(events).toEqual(["a.one", "a.undo one"]);
  });

  test("past the point of no return changes nothing", async () => {
    const definition = define(steps(), { pointOfNoReturn: "one" });
    const id = await start(definition);
    await commit(house.context, [requestCancel(house.context, id)]);
    expect(await end(definition)).toMatchObject({ status: "succeeded" });
  });

  test("of an operation that has ended changes nothing", async () => {
    const definition = define(steps());
    const id = await start(definition);
    await end(definition);
    await commit(house.context, [requestCancel(house.context, id)]);
    expect((await rows())[0]).toMatchObject({ status: "succeeded", cancelRequestedAt: null });
  });
});

test("a resource has one active operation at most", async () => {
  const definition = define({ one: noted("one") });
  await start(definition, "a");
  await expect(start(definition, "a")).rejects.toThrow();
  await end(definition);
  await start(definition, "a");
  expect(await rows()).toHaveLength(2);
});
