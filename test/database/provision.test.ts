import { eq } from "drizzle-orm";
import { beforeEach, describe, expect, test } from "vitest";
import { databasesOf } from "../../src/database/find.ts";
import { settingsOf } from "../../src/database/setting.ts";
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
  test("runs, with an owner that cannot log in and a login with a verifier", async () => {
    await aRunningProject(house, "small");
    const row = await onlyRow();
    expect(row.state).toBe("running");
    expect(house.host.databases.get(row.databaseName)).toEqual({ owner: row.ownerRole });
    expect(house.host.roles.get(row.ownerRole)).toEqual({ verifier: null, group: null });
    const { verifier } = house.host.roles.get(row.loginRole) ?? {};
    expect(verifier).toMatch(/^SCRAM-SHA-256\$4096:[\w+/]{22}==\$[\w+/]{43}=:[\w+/]{43}=$/);
  });

  test("was probed with the very URL that is published, after everything else", async () => {
    const { projectId } = await aRunningProject(house, "small");
    expect(house.host.calls.map(({ name }) => name).slice(-3)).toEqual([
      "createDatabase",
      "oidOf",
      "probe",
    ]);
    const [found] = await databasesOf(house.context, projectId);
    const { databaseUrl, password } = await urlsOf(house.context, await onlyRow());
    expect(found?.row.state).toBe("running");
    expect(databaseUrl).toContain(`:${password}@127.0.0.1:6432/proj_`);
  });

  test.each([
    ["medium", 200],
    ["large", 400],
  ] as const)("of size %s has its limits and a weight of %i", async (size, cpu_weight) => {
    await aRunningProject(house, size);
    const row = await onlyRow();
    const given = house.host.settings.get(row.databaseName);
    expect(given).toEqual({ ...settingsOf(row), cpu_weight });
  });

  test("of size small needs nothing of its host", async () => {
    await aRunningProject(house, "small");
    expect(house.host.settings.size).toBe(0);
  });
});

describe("until it runs", () => {
  test("a database that does not answer through the pooler is not published", async () => {
    const { lane } = await aProject(house, "small");
    for (let call = 2; call <= 100; call++) house.host.failAt(call, "before");
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
    expect(errorMessage).not.toMatch(/did not answer|createDatabase|127\.0\.0\.1/);
    const [place] = await house.context.db.select().from(host).where(eq(host.id, hostId));
    expect(place?.databasesCount).toBe(0);
  });

  test("the password is in no row, no log and no error unsealed", async () => {
    const { lane } = await aProject(house, "small");
    house.host.failAt(1, "after");
    await runToEnd(house, lane);
    const row = await onlyRow();
    const { password } = await urlsOf(house.context, row);
    const { input } = await latest(house, "database.provision");
    expect(JSON.stringify([row, input, house.log])).not.toContain(password);
    expect(house.log.length).toBeGreaterThan(0);
  });
});
