import { eq } from "drizzle-orm";
import { expect, test } from "vitest";
import { commit } from "../../src/core/batch.ts";
import { destroy } from "../../src/database/destroy.ts";
import { begin } from "../../src/operation/define.ts";
import { sweep } from "../../src/operation/sweep.ts";
import { operation } from "../../src/operation/table.ts";
import { createTestContext, type TestContext } from "../support/context.ts";

async function start({ context }: TestContext, lane: string, resourceId: string) {
  const subject = { lane, organizationId: "o", workspaceId: null, projectId: null, resourceId };
  const { id, statement } = begin(context, destroy, subject, { databaseId: resourceId });
  await commit(context, [statement]);
  return id;
}

test("work whose nudge was lost is found, each lane once", async () => {
  const house = await createTestContext();
  await start(house, "project:1", "a");
  await start(house, "project:1", "b");
  await start(house, "project:2", "c");
  house.clock.advance(6);
  expect(await sweep(house.context)).toBe(2);
  expect(house.nudges.sort()).toEqual(["project:1", "project:2"]);
});

test("work that was begun a moment ago is left to who began it", async () => {
  const house = await createTestContext();
  await start(house, "project:1", "a");
  expect(await sweep(house.context)).toBe(0);
});

test("work that has ended or is not due is left alone", async () => {
  const house = await createTestContext();
  const { db, now } = house.context;
  const [ended, later] = [
    await start(house, "project:1", "a"),
    await start(house, "project:2", "b"),
  ];
  await db.update(operation).set({ status: "succeeded" }).where(eq(operation.id, ended));
  const runAfter = new Date(now().getTime() + 60_000);
  await db.update(operation).set({ runAfter }).where(eq(operation.id, later));
  house.clock.advance(10);
  expect(await sweep(house.context)).toBe(0);
});

test("a flood is swept in parts, and every lane has its turn", async () => {
  const house = await createTestContext();
  for (let i = 0; i < 450; i++) await start(house, `project:${i}`, `r${i}`);
  house.clock.advance(6);
  const swept = [];
  for (let minute = 0; minute < 3; minute++) {
    swept.push(await sweep(house.context));
    house.clock.advance(60);
  }
  expect(swept.sort()).toEqual([200, 200, 50].sort());
  expect(new Set(house.nudges).size).toBe(450);
});
