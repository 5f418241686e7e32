import { eq } from "drizzle-orm";
import { beforeEach, describe, expect, test } from "vitest";
import { openAlerts } from "../../src/alert/raise.ts";
import { alertKinds } from "../../src/alert/table.ts";
import type { DatabaseSpec } from "../../src/contract/spec.ts";
import { newPassword } from "../../src/database/credential.ts";
import { reconcile, reconcileHost } from "../../src/database/reconcile.ts";
import { specOf } from "../../src/database/spec.ts";
import { type DatabaseRow, database } from "../../src/database/table.ts";
import { dropTrash, restoreTrash, trashOf } from "../../src/database/trash.ts";
import { holdRepairs, releaseRepairs } from "../../src/hold/hold.ts";
import { host } from "../../src/host/table.ts";
import { operation } from "../../src/operation/table.ts";
import { createTestContext, type TestContext } from "../support/context.ts";
import { aProject, aRunningProject, hostId } from "../support/seed.ts";
import { snapshot } from "../support/snapshot.ts";

let house: TestContext;
let row: DatabaseRow;

beforeEach(async () => {
  house = await createTestContext();
  await aRunningProject(house);
  house.clock.advance(60);
  row = await read();
});

async function read(): Promise<DatabaseRow> {
  const [found] = await house.context.db.select().from(database);
  if (found === undefined) throw new Error("Nothing was made.");
  return found;
}

const look = () => reconcileHost(house.context, hostId);
const well = { repaired: 0, failed: 0, orphans: 0 };
const open = () => openAlerts(house.context, alertKinds);
const kindsOpen = async () => (await open()).map(({ kind }) => kind);
const callsOf = (names: readonly string[]) =>
  house.host.calls.map(({ name }) => name).filter((name) => names.includes(name));
const change = (fields: Partial<DatabaseRow>) => house.context.db.update(database).set(fields);

test("when all is well nothing is written and nothing repaired", async () => {
  const before = await snapshot(house);
  const calls = house.host.calls.length;
  expect(await look()).toEqual(well);
  expect(await snapshot(house)).toEqual(before);
  expect(house.host.calls.slice(calls).map(({ name }) => name)).toEqual(["inventory"]);
});

describe("a database", () => {
  const drifts: [string, Partial<DatabaseSpec>][] = [
    ["has fewer backends", { transaction: { pool_size: 1, client_connections_max: 1 } }],
    ["lets nobody in", { allowed_addresses: ["192.0.2.1/32"] }],
    ["is full", { is_full: true }],
    ["never sleeps", { suspend_after_seconds: 5 }],
    ["has a login nobody knows", { logins: [] }],
  ];
  test.each(drifts)("that %s against its row is given its spec again", async (_, drift) => {
    const spec = await specOf(house.context, row);
    house.host.change(row.databaseName, { spec: { ...spec, ...drift } });
    expect(await look()).toEqual({ ...well, repaired: 1 });
    expect(house.host.spec(row.databaseName)).toEqual(spec);
    expect(await look()).toEqual(well);
  });

  test("is compared without a new key, however often", async () => {
    const [one, other] = [await specOf(house.context, row), await specOf(house.context, row)];
    expect(one).toEqual(other);
    const own = { ...row, loginRole: "usr_other" };
    const [login] = (await specOf(house.context, own)).logins;
    expect(login?.verifier).not.toBe(one.logins[0]?.verifier);
  });

  test("is stopped or started as its row says, and left asleep", async () => {
    const stateOf = () => house.host.databases.get(row.databaseName)?.state;
    house.host.change(row.databaseName, { state: "stopped" });
    expect(await look()).toEqual({ ...well, repaired: 1 });
    expect(stateOf()).toBe("running");
    house.host.change(row.databaseName, { state: "failed" });
    expect(await look()).toEqual({ ...well, repaired: 1 });
    expect(stateOf()).toBe("running");
    // What the host did by itself the row follows.
    house.host.change(row.databaseName, { state: "asleep" });
    expect(await look()).toEqual(well);
    expect(stateOf()).toBe("asleep");
    const [followed] = await house.context.db.select().from(database);
    expect(followed?.state).toBe("suspended");
    house.clock.advance(60);
    for (const state of ["stopped", "deleted"] as const) {
      house.host.change(row.databaseName, { state: "running" });
      await change({ state });
      expect(await look()).toEqual({ ...well, repaired: 1 });
      expect(stateOf()).toBe("stopped");
      expect(await look()).toEqual(well);
    }
  });

  test("that is gone is an alert until it is back, and is never made anew", async () => {
    const found = house.host.things.databases.get(row.databaseName);
    house.host.things.databases.delete(row.databaseName);
    await look();
    await look();
    expect(await open()).toMatchObject([{ kind: "database_missing", subject: row.id }]);
    expect(house.host.databases.size).toBe(0);
    if (found !== undefined) house.host.things.databases.set(row.databaseName, found);
    await look();
    expect(await open()).toEqual([]);
  });

  test("is left alone while an operation is under way or just was", async () => {
    house.host.change(row.databaseName, { state: "stopped" });
    await change({ updatedAt: house.clock.now() });
    expect(await look()).toEqual(well);
    house.clock.advance(60);
    const { db } = house.context;
    await db.update(operation).set({ status: "running" });
    expect(await look()).toEqual(well);
    await db.update(operation).set({ status: "succeeded" });
    expect((await look()).repaired).toBe(1);
  });

  test("that changes between the look and the repair is left to the next look", async () => {
    house.host.change(row.databaseName, { state: "stopped" });
    let batches = 0;
    const db = new Proxy(house.context.db, {
      get: (target, name) => {
        if (name !== "batch") return Reflect.get(target, name);
        return async (...input: Parameters<typeof target.batch>) => {
          const answer = await target.batch(...input);
          if (++batches === 1) await change({ state: "stopping" });
          return answer;
        };
      },
    });
    expect(await reconcileHost({ ...house.context, db }, hostId)).toEqual(well);
    expect(callsOf(["database.start"])).toEqual([]);
  });

  test("is compared in its turn where thousands are new to this isolate", async () => {
    const columns = { seq: undefined, isPrimary: false } as const;
    const spec = await specOf(house.context, row);
    const found = house.host.databases.get(row.databaseName);
    if (found === undefined) throw new Error("Nothing was made.");
    for (let i = 0; i < 250; i++) {
      const own = { id: `d${i}`, name: `n${i}`, databaseName: `proj_new${i}` };
      const { passwordSealed } = await newPassword(house.context, own.id);
      const made = { ...row, ...columns, ...own, passwordSealed };
      await house.context.db.insert(database).values(made);
      house.host.things.databases.set(own.databaseName, { ...found, spec });
    }
    const repaired: number[] = [];
    for (let minute = 0; minute < 7; minute++) {
      repaired.push((await look()).repaired);
      house.clock.advance(60);
    }
    expect(Math.max(...repaired)).toBeLessThanOrEqual(50);
    expect(repaired.reduce((sum, each) => sum + each, 0)).toBe(250);
  });
});

test("a repair that fails stops no other and is an alert until it succeeds", async () => {
  const spec = await specOf(house.context, row);
  house.host.change(row.databaseName, { state: "stopped", spec: { ...spec, is_full: true } });
  house.host.failAt(2, "before");
  expect(await look()).toEqual({ ...well, failed: 1 });
  expect(house.host.inState("running")).toEqual([row.databaseName]);
  expect(await open()).toMatchObject([
    { kind: "repair_failed", subject: row.id, details: { drifts: ["spec"] } },
  ]);
  expect(await look()).toEqual({ ...well, repaired: 1 });
  expect(await open()).toEqual([]);
});

describe("an orphan", () => {
  const plant = (name = "proj_lost") => {
    const { databases } = house.host.things;
    const [found] = databases.values();
    if (found !== undefined) databases.set(name, found);
  };
  const isStopped = () => house.host.inState("stopped").includes("proj_lost");

  const day = 86_400;

  test("is told at first sight, goes on for days, and is then stopped to be had back", async () => {
    plant();
    expect((await look()).orphans).toBe(1);
    expect((await open()).map(({ subject }) => subject)).toEqual([`${hostId}/proj_lost`]);
    house.clock.advance(7 * day - 1);
    await look();
    expect(isStopped()).toBe(false);
    expect(await trashOf(house.context, hostId)).toEqual([]);
    house.clock.advance(2);
    await look();
    expect(isStopped()).toBe(true);
    expect(await kindsOpen()).toEqual(["orphan"]);
    const items = await trashOf(house.context, hostId);
    expect(items.map((item) => item.database)).toEqual(["proj_lost"]);
    await restoreTrash(house.context, hostId, "proj_lost");
    await look();
    expect(isStopped(), "its days begin anew").toBe(false);
    expect(await kindsOpen()).toEqual(["orphan"]);
    house.host.change("proj_lost", { state: "stopped" });
    await dropTrash(house.context, hostId, "proj_lost");
    expect([...house.host.databases.keys()]).toEqual([row.databaseName]);
    expect(await open()).toEqual([]);
  });

  test("that is gone by itself is an alert no more, and begins anew when it returns", async () => {
    plant();
    await look();
    house.host.things.databases.delete("proj_lost");
    await look();
    expect(await kindsOpen()).toEqual([]);
    house.clock.advance(8 * day);
    plant();
    await look();
    expect(isStopped()).toBe(false);
  });

  test("goes on for ever where the setting says so, and while repairs are held", async () => {
    plant();
    await look();
    house.clock.advance(400 * day);
    const patient = { ...house.context, orphanDays: 0 };
    await reconcileHost(patient, hostId);
    await holdRepairs(house.context, "somebody looks at it.", null);
    await look();
    expect(isStopped()).toBe(false);
    await releaseRepairs(house.context);
    await look();
    expect(isStopped()).toBe(true);
  });

  test("that cannot be stopped is tried again", async () => {
    plant();
    await look();
    house.clock.advance(8 * day);
    house.host.failAt(2, "before");
    await look();
    expect(isStopped()).toBe(false);
    await look();
    expect(isStopped()).toBe(true);
  });

  test("is nothing that an operation under way names", async () => {
    plant();
    const input = { databaseName: "proj_lost" };
    await house.context.db.update(operation).set({ status: "running", input });
    expect(await look()).toEqual(well);
  });

  test("goes on when a row of whatever host has come to name it", async () => {
    plant();
    await look();
    house.clock.advance(8 * day);
    await change({ hostId: "elsewhere", databaseName: "proj_lost" });
    await look();
    expect(isStopped()).toBe(false);
  });

  test("among more than a few goes on: rows must be missing", async () => {
    for (let i = 0; i < 4; i++) plant(`proj_lost${i}`);
    await look();
    house.clock.advance(8 * day);
    await look();
    expect(house.host.inState("stopped")).toEqual([]);
    house.host.things.databases.delete("proj_lost0");
    await look();
    expect(house.host.inState("stopped")).toHaveLength(3);
  });
});

describe("while repairs are held", () => {
  test("drift is told and left as it is, then repaired", async () => {
    house.host.change(row.databaseName, { state: "stopped" });
    await holdRepairs(house.context, "D1 is being looked at.", null);
    expect(await look()).toEqual({ ...well, failed: 1 });
    expect(house.host.inState("stopped")).toEqual([row.databaseName]);
    expect(await kindsOpen()).toContain("repair_failed");
    await releaseRepairs(house.context);
    expect(await look()).toEqual({ ...well, repaired: 1 });
    expect(await open()).toEqual([]);
  });
});

test("a database about to be made is neither an orphan nor missing", async () => {
  house = await createTestContext();
  await aProject(house);
  house.clock.advance(3600);
  expect(await look()).toEqual(well);
  const pending = await read();
  const spec = await specOf(house.context, pending);
  const found = { hostId, spec, state: "running" as const, detail: null };
  house.host.things.databases.set(pending.databaseName, found);
  expect(await look()).toEqual(well);
});

test("a host that lost everything alerts for each database, some at a time", async () => {
  const columns = { seq: undefined, isPrimary: false } as const;
  for (let i = 0; i < 120; i++) {
    const own = { id: `d${i}`, name: `n${i}`, databaseName: `proj_gone${i}` };
    await house.context.db.insert(database).values({ ...row, ...columns, ...own });
  }
  await look();
  expect(await open()).toHaveLength(100);
  await look();
  expect(await open()).toHaveLength(120);
});

test("a host's counts of databases and backends are made right", async () => {
  const { db } = house.context;
  await db.update(host).set({ databasesCount: 7, backendsCount: 70 });
  await look();
  const [counted] = await db.select().from(host).where(eq(host.id, hostId));
  expect(counted).toMatchObject({ databasesCount: 1, backendsCount: 16 });
});

test("a host that does not answer stops nobody", async () => {
  house.host.failAt(1, "before");
  await reconcile(house.context);
  expect(house.log.at(-1)?.message).toContain("Not reconciled");
});
