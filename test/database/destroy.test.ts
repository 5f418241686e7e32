import { beforeEach, describe, expect, test } from "vitest";
import { commit, violatedConstraint } from "../../src/core/batch.ts";
import { beginDestroy } from "../../src/database/destroy.ts";
import { database } from "../../src/database/table.ts";
import { host } from "../../src/host/table.ts";
import { createTestContext, type TestContext } from "../support/context.ts";
import { latest, runToEnd } from "../support/run.ts";
import { aProject, aRunningProject } from "../support/seed.ts";

let house: TestContext;

beforeEach(async () => {
  house = await createTestContext();
});

const onlyRow = async () => {
  const [row] = await house.context.db.select().from(database);
  if (row === undefined) throw new Error("There is no database.");
  return row;
};

const destroy = async () =>
  commit(house.context, beginDestroy(house.context, await onlyRow(), null).statements);

describe("destroying a database", () => {
  test("leaves no database, no role and no pool, and gives its place back", async () => {
    const { lane } = await aRunningProject(house, "large");
    await destroy();
    expect(await onlyRow()).toMatchObject({ state: "deleting", deletedAt: null });
    await runToEnd(house, lane);
    expect(house.host.isEmpty()).toBe(true);
    expect(await onlyRow()).toMatchObject({ state: "purged" });
    expect((await onlyRow()).deletedAt).toEqual(house.clock.now());
    const [place] = await house.context.db.select().from(host);
    expect(place?.databasesCount).toBe(0);
  });

  test("is refused while the database is still being made", async () => {
    await aProject(house, "small");
    expect(await destroy().catch(violatedConstraint)).toBe("operation.resource_id");
    expect(await onlyRow()).toMatchObject({ state: "provisioning" });
  });

  test("goes on for as long as the host does not answer", async () => {
    const { lane } = await aRunningProject(house, "small");
    await destroy();
    for (let call = 1; call <= 40; call++) house.host.failAt(call, "before");
    await runToEnd(house, lane);
    expect(await latest(house, "database.destroy")).toMatchObject({ status: "succeeded" });
    expect(house.host.isEmpty()).toBe(true);
  });
});
