import { beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { openAlerts } from "../../src/alert/raise.ts";
import { alert } from "../../src/alert/table.ts";
import { commit } from "../../src/core/batch.ts";
import {
  begin,
  defineOperation,
  next,
  type OperationDefinition,
  registryOf,
} from "../../src/operation/define.ts";
import { watchDeadlines } from "../../src/operation/overdue.ts";
import { runLane } from "../../src/operation/run.ts";
import { createTestContext, type TestContext } from "../support/context.ts";

const lane = "project:1";
const Input = z.object({});

let house: TestContext;
let isBroken: boolean;

beforeEach(async () => {
  house = await createTestContext();
  isBroken = true;
});

const effect = async () => {
  if (isBroken) throw new Error("not now");
  return next();
};
const takeBack = async () => {
  if (isBroken) throw new Error("not now");
  return [];
};
const fixed = { input: Input, deadlineMinutes: 10, attemptsMax: 5 };
const forward = defineOperation({
  ...fixed,
  name: "test.forward",
  pointOfNoReturn: "go",
  steps: { go: { do: effect } },
});
const returning = defineOperation({
  ...fixed,
  name: "test.returning",
  steps: { go: { do: effect, undo: takeBack } },
});
const registry = registryOf(forward, returning);

async function start(definition: OperationDefinition<Record<string, never>>, resourceId = "a") {
  const subject = { lane, organizationId: "o", workspaceId: null, projectId: null, resourceId };
  const { id, statement } = begin(house.context, definition, subject, {});
  await commit(house.context, [statement]);
  return id;
}

async function pass(minutes: number) {
  house.clock.advance(minutes * 60);
  await runLane(house.context, registry, lane);
  return watchDeadlines(house.context, registry);
}

const open = () => openAlerts(house.context, ["operation_overdue", "undo_failing"]);

test("past its point of no return it alerts at its deadline, until it has ended", async () => {
  const id = await start(forward);
  expect(await pass(9)).toBe(0);
  expect(await pass(1)).toBe(1);
  expect(await open()).toMatchObject([
    { kind: "operation_overdue", subject: id, details: { step: "go", lane } },
  ]);
  expect(await pass(1)).toBe(0);
  expect(await open()).toHaveLength(1);
  isBroken = false;
  await pass(1);
  expect(await open()).toEqual([]);
  expect((await house.context.db.select().from(alert)).length).toBe(1);
});

test("an undo that keeps failing beyond the deadline alerts, until it succeeds", async () => {
  const id = await start(returning);
  for (const minutes of [1, 4, 5]) expect(await pass(minutes)).toBe(0);
  expect(await pass(1)).toBe(1);
  expect(await open()).toMatchObject([{ kind: "undo_failing", subject: id }]);
  isBroken = false;
  await pass(1);
  expect(await open()).toEqual([]);
});

test("one that unwinds at its deadline alerts nobody", async () => {
  await start(returning);
  isBroken = false;
  house.clock.advance(3600);
  await runLane(house.context, registry, lane);
  expect(await watchDeadlines(house.context, registry)).toBe(0);
});

test("an operation nobody knows how to run alerts a minute after its deadline", async () => {
  await start(defineOperation({ ...fixed, name: "test.unknown", steps: { go: { do: effect } } }));
  expect(await pass(10)).toBe(0);
  expect(await pass(1)).toBe(1);
});

test("more than a run takes are raised by the next ones", async () => {
  for (let i = 0; i < 130; i++) await start(forward, `r${i}`);
  house.clock.advance(3600);
  expect(await watchDeadlines(house.context, registry)).toBe(100);
  expect(await watchDeadlines(house.context, registry)).toBe(30);
  expect(await watchDeadlines(house.context, registry)).toBe(0);
});
