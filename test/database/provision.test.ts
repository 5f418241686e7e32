import { eq } from "drizzle-orm";
import { beforeEach, describe, expect, test } from "vitest";
import { databasesOf } from "../../src/database/find.ts";
import { specOf } from "../../src/database/spec.ts";
import { database } from "../../src/database/table.ts";
import { urlsOf } from "../../src/database/url.ts";
import { host } from "../../src/host/table.ts";
import { createTestContext, type TestContext } from "../support/context.ts";
import { latest, runToEnd } from "../support/run.ts";
import { aProject, aRunningProject, hostId } from "../support/seed.ts";

let house: TestContext;

beforeEach(async () => {
  house = await createTestContext();
});

const onlyRow = async () => {
  const [row] = await house.context.db.select().from(database);
  if (row === undefined) throw new Error("There is no database.");
  return row;
};

describe("a provisioned database", () => {
  test("runs, with one login, of which its host has a verifier", async () => {
    await aRunningProject(house, "small");
    const row = await onlyRow();
    expect(row.state).toBe("running");
    const [login, ...others] = house.host.spec(row.databaseName)?.logins ?? [];
    expect(others).toEqual([]);
    expect(login?.name).toBe(row.loginRole);
    const form = /^SCRAM-SHA-256\$4096:[\w+/]{22}==\$[\w+/]{43}=:[\w+/]{43}=$/;
    expect(login?.verifier).toMatch(form);
  });

  test("was probed with the very URL that is published, after everything else", async () => {
    const { projectId } = await aRunningProject(house, "small");
    expect(house.host.calls.map(({ name }) => name).slice(-2)).toEqual([
      "database.create",
      "database.probe",
    ]);
    const [found] = await databasesOf(house.context, projectId);
    const { databaseUrl, password } = await urlsOf(house.context, await onlyRow());
    expect(found?.row.state).toBe("running");
    expect(databaseUrl).toContain(`:${password}@127.0.0.1:6432/proj_`);
  });

  test.each([
    ["small", 1],
    ["medium", 2],
    ["large", 4],
  ] as const)("of size %s has its limits and %i processors", async (size, processors) => {
    await aRunningProject(house, size);
    const row = await onlyRow();
    const spec = house.host.spec(row.databaseName);
    expect(spec).toEqual({ ...(await specOf(house.context, row)), processors });
  });
});

describe("until it runs", () => {
  test("a database that does not answer through the pooler is not published", async () => {
    const { lane } = await aProject(house, "small");
    for (let call = 3; call <= 100; call++) house.host.failAt(call, "before");
    await runToEnd(house, lane);
    expect(await onlyRow()).toMatchObject({ state: "failed" });
    expect(house.host.isEmpty() || house.host.calls.length > 100).toBe(true);
  });

  test("a failure says why in words for the caller, without an internal word", async () => {
    const { lane } = await aProject(house, "small");
    for (let call = 1; call <= 20; call++) house.host.failAt(call, "before");
    await runToEnd(house, lane);
    const { state, errorMessage } = await onlyRow();
    expect(state).toBe("failed");
    expect(errorMessage).toMatch(/^Step create kept failing\./);
    expect(errorMessage).not.toMatch(/did not answer|database\.create|127\.0\.0\.1/);
    const [place] = await house.context.db.select().from(host).where(eq(host.id, hostId));
    expect(place?.databasesCount).toBe(0);
  });

  test("the password is in no row, no log and no error unsealed", async () => {
    const { lane } = await aProject(house, "small");
    house.host.failAt(2, "after");
    await runToEnd(house, lane);
    const row = await onlyRow();
    const { password } = await urlsOf(house.context, row);
    const { input } = await latest(house, "database.provision");
    expect(JSON.stringify([row, input, house.log])).not.toContain(password);
    expect(house.log.length).toBeGreaterThan(0);
  });
});
