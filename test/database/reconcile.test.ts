import { eq } from "drizzle-orm";
import { beforeEach, describe, expect, test } from "vitest";
import { openAlerts } from "../../src/alert/raise.ts";
import { alertKinds } from "../../src/alert/table.ts";
import type { FoundDatabase, FoundRole } from "../../src/core/host-port.ts";
import { openPassword } from "../../src/database/credential.ts";
import { reconcile, reconcileHost } from "../../src/database/reconcile.ts";
import { settingsOf } from "../../src/database/setting.ts";
import { type DatabaseRow, database } from "../../src/database/table.ts";
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
  expect(house.host.calls.slice(calls).map(({ name }) => name)).toEqual([
    "inventory",
    "hostDatabases",
  ]);
});

describe("a login", () => {
  const drifts: [string, Partial<FoundRole>][] = [
    ["may not log in", { canLogin: false }],
    ["has a superuser's power", { hasPower: true }],
    ["expires", { isLimited: true }],
    ["is no member of its owner", { memberOf: [] }],
    ["is a member of another one's owner too", { memberOf: ["own_a", "own_b"] }],
    ["becomes nobody at login", { becomes: [] }],
    ["becomes itself at login", { becomes: ["none"] }],
  ];
  test.each(drifts)("that %s is repaired, its password left alone", async (_, drift) => {
    const { verifier } = house.host.roles.get(row.loginRole) ?? {};
    house.host.things.roleDrift.set(row.loginRole, drift);
    expect(await look()).toEqual({ ...well, repaired: 1 });
    expect(house.host.roles.get(row.loginRole)).toEqual({ verifier, group: row.ownerRole });
    expect(await look()).toEqual(well);
  });

  test("that was dropped is made again with the password of its row", async () => {
    const { verifier } = house.host.roles.get(row.loginRole) ?? {};
    house.host.things.roles.delete(row.loginRole);
    await look();
    const { verifier: renewed, group } = house.host.roles.get(row.loginRole) ?? {};
    expect(group).toBe(row.ownerRole);
    expect(await isVerifierOf(renewed, await openPassword(house.context, row))).toBe(true);
    expect(renewed).not.toBe(verifier);
    expect(await look()).toEqual(well);
  });

  test("whose password was changed in SQL gets that of its row again", async () => {
    house.host.things.roleDrift.set(row.loginRole, { hasOtherPassword: true });
    await look();
    const { verifier } = house.host.roles.get(row.loginRole) ?? {};
    expect(await isVerifierOf(verifier, await openPassword(house.context, row))).toBe(true);
  });

  test("that owns things itself gives them to the owner", async () => {
    house.host.things.roleDrift.set(row.loginRole, { ownsIn: [row.databaseName] });
    expect(await look()).toEqual({ ...well, repaired: 1 });
    expect(callsOf(["adoptObjects", "repairLogin"])).toEqual(["adoptObjects"]);
    expect(await look()).toEqual(well);
  });

  test("of a full database is judged by the role that reads and deletes alone", async () => {
    const reader = row.ownerRole.replace("own_", "ro_");
    await change({ storageState: "full" });
    expect(await look()).toEqual(well);
    house.host.things.roles.set(reader, { verifier: null, group: null });
    await look();
    expect(house.host.roles.get(row.loginRole)?.group).toBe(reader);
    expect((await look()).repaired).toBe(0);
  });
});

describe("a database", () => {
  const drifts: [string, Partial<FoundDatabase>][] = [
    ["refuses connections", { allowsConnections: false }],
    ["has a connection limit", { connectionLimit: 0 }],
    ["is open to everybody", { privileges: { "": "Tc" } }],
    ["is closed to its owner", { privileges: {} }],
    ["has parameters of nobody", { parameters: ["temp_file_limit", "role"] }],
  ];
  test.each(drifts)("that %s is repaired", async (_, drift) => {
    house.host.things.databaseDrift.set(row.databaseName, drift);
    expect(await look()).toEqual({ ...well, repaired: 1 });
    expect(callsOf(["repairAccess"])).toHaveLength(1);
    expect(await look()).toEqual(well);
  });

  test("whose settings the host has lost or changed gets them again", async () => {
    house.host.things.settings.delete(row.databaseName);
    expect(await look()).toEqual({ ...well, repaired: 1 });
    const other = { ...settingsOf(row), bytes_per_backend: 2 ** 30 };
    house.host.things.settings.set(row.databaseName, other);
    expect(await look()).toEqual({ ...well, repaired: 1 });
    expect(house.host.settings.get(row.databaseName)).toEqual(settingsOf(row));
  });

  test("is stopped or started as its row says, and left asleep", async () => {
    const { held } = house.host.things;
    held.set(row.databaseName, "stopped");
    expect(await look()).toEqual({ ...well, repaired: 1 });
    expect(held.size).toBe(0);
    // What the host did by itself the row follows.
    held.set(row.databaseName, "suspended");
    expect(await look()).toEqual(well);
    expect(held.get(row.databaseName)).toBe("suspended");
    const [followed] = await house.context.db.select().from(database);
    expect(followed?.state).toBe("suspended");
    house.clock.advance(60);
    for (const state of ["stopped", "deleted"] as const) {
      held.clear();
      await change({ state });
      expect(await look()).toEqual({ ...well, repaired: 1 });
      expect(held.get(row.databaseName)).toBe("stopped");
      expect(await look()).toEqual(well);
    }
  });

  test("that is gone is an alert until it is back, and is never made anew", async () => {
    house.host.things.databases.delete(row.databaseName);
    await look();
    await look();
    expect(await open()).toMatchObject([{ kind: "database_missing", subject: row.id }]);
    expect(house.host.databases.size).toBe(0);
    house.host.things.databases.set(row.databaseName, { owner: row.ownerRole });
    await look();
    expect(await open()).toEqual([]);
  });

  test("is left alone while an operation is under way or just was", async () => {
    house.host.things.roleDrift.set(row.loginRole, { canLogin: false });
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
    house.host.things.roleDrift.set(row.loginRole, { canLogin: false });
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
    expect(callsOf(["repairLogin"])).toEqual([]);
  });
});

test("a repair that fails stops no other and is an alert until it succeeds", async () => {
  const { roleDrift, settings } = house.host.things;
  roleDrift.set(row.loginRole, { canLogin: false });
  settings.delete(row.databaseName);
  house.host.failAt(3, "before");
  expect(await look()).toEqual({ ...well, failed: 1 });
  expect(house.host.settings.size).toBe(1);
  expect(await open()).toMatchObject([
    { kind: "repair_failed", subject: row.id, details: { drifts: ["login"] } },
  ]);
  expect(await look()).toEqual({ ...well, repaired: 1 });
  expect(await open()).toEqual([]);
});

describe("an orphan", () => {
  const plant = () => {
    const { databases, roles, settings } = house.host.things;
    databases.set("proj_lost", { owner: "own_lost" });
    roles.set("own_lost", { verifier: null, group: null });
    roles.set("usr_lost", { verifier: "v", group: "own_lost" });
    settings.set("proj_lost", settingsOf(row));
  };

  const day = 86_400;

  test("is told at first sight, stays for days, and is then put aside to be had back", async () => {
    const before = await snapshot(house);
    plant();
    expect((await look()).orphans).toBe(3);
    expect((await open()).map(({ subject }) => subject).sort()).toEqual(
      ["own_lost", "proj_lost", "usr_lost"].map((name) => `${hostId}/${name}`),
    );
    house.clock.advance(7 * day - 1);
    expect((await look()).orphans).toBe(3);
    house.clock.advance(2);
    expect((await look()).orphans).toBe(0);
    expect(await open()).toEqual([]);
    const items = await house.context.host.trashItems(hostId);
    expect(items.map(({ formerName }) => formerName).sort()).toEqual([
      "own_lost",
      "proj_lost",
      "usr_lost",
    ]);
    expect(items.every(({ name }) => /^trash_\d{8}_/.test(name))).toBe(true);
    for (const item of items) await house.context.host.restoreTrash(hostId, item);
    expect(house.host.databases.get("proj_lost")).toEqual({ owner: "own_lost" });
    for (const name of ["proj_lost"]) house.host.things.databases.delete(name);
    for (const name of ["own_lost", "usr_lost"]) house.host.things.roles.delete(name);
    const { databases, roles, settings } = await snapshot(house);
    expect({ databases, roles, settings }).toEqual({
      databases: before.databases,
      roles: before.roles,
      settings: before.settings,
    });
  });

  test("that is gone by itself is an alert no more, and begins anew when it returns", async () => {
    plant();
    await look();
    house.host.things.databases.delete("proj_lost");
    house.host.things.settings.delete("proj_lost");
    await look();
    expect(await kindsOpen()).toEqual(["orphan", "orphan"]);
    house.clock.advance(8 * day);
    plant();
    await look();
    expect(house.host.databases.has("proj_lost")).toBe(true);
  });

  test("stays for ever where the setting says so, and while repairs are held", async () => {
    plant();
    await look();
    house.clock.advance(400 * day);
    const patient = { ...house.context, orphanDays: 0 };
    expect((await reconcileHost(patient, hostId)).orphans).toBe(3);
    await holdRepairs(house.context, "somebody looks at it.", null);
    expect((await look()).orphans).toBe(3);
    await releaseRepairs(house.context);
    expect((await look()).orphans).toBe(0);
  });

  test("that cannot be put aside stops no other and stays an alert", async () => {
    plant();
    await look();
    house.clock.advance(8 * day);
    house.host.failAt(3, "before");
    expect((await look()).orphans).toBe(1);
    expect(await kindsOpen()).toEqual(["orphan"]);
    expect((await look()).orphans).toBe(0);
  });

  test("is nothing that an operation under way names", async () => {
    plant();
    const input = { databaseName: "proj_lost", ownerRole: "own_lost", loginRole: "usr_lost" };
    await house.context.db.update(operation).set({ status: "running", input });
    expect(await look()).toEqual(well);
  });

  test("stays where it is when a row of whatever host has come to name it", async () => {
    plant();
    await look();
    house.clock.advance(8 * day);
    await change({ hostId: "elsewhere", ownerRole: "own_lost", databaseName: "proj_lost" });
    await look();
    expect(house.host.databases.has("proj_lost")).toBe(true);
    expect(house.host.roles.has("own_lost")).toBe(true);
  });

  test("among more than a few stays where it is: rows must be missing", async () => {
    const { databases } = house.host.things;
    for (let i = 0; i < 4; i++) databases.set(`proj_lost${i}`, { owner: "own_lost" });
    await look();
    house.clock.advance(8 * day);
    expect((await look()).orphans).toBe(4);
    databases.delete("proj_lost0");
    expect((await look()).orphans).toBe(0);
  });
});

describe("while repairs are held", () => {
  test("drift is told and left as it is, then repaired", async () => {
    house.host.things.settings.delete(row.databaseName);
    await holdRepairs(house.context, "D1 is being looked at.", null);
    expect(await look()).toEqual({ ...well, failed: 1 });
    expect(house.host.settings.has(row.databaseName)).toBe(false);
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
  house.host.things.databases.set(pending.databaseName, { owner: pending.ownerRole });
  house.host.things.roles.set(pending.loginRole, { verifier: null, group: null });
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

// RFC 5802: the stored key follows from the password, the salt and the count of iterations.
async function isVerifierOf(verifier: string | null | undefined, password: string) {
  const [, count, salt, stored] = /^SCRAM-SHA-256\$(\d+):(.+)\$(.+):/.exec(verifier ?? "") ?? [];
  const bytes = (text: string) => new TextEncoder().encode(text);
  const key = await crypto.subtle.importKey("raw", bytes(password), "PBKDF2", false, [
    "deriveBits",
  ]);
  const saltBytes = Uint8Array.from(atob(salt ?? ""), (each) => each.charCodeAt(0));
  const parameters = {
    name: "PBKDF2",
    hash: "SHA-256",
    salt: saltBytes,
    iterations: Number(count),
  };
  const salted = await crypto.subtle.deriveBits(parameters, key, 256);
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const clientKey = await crypto.subtle.sign(
    "HMAC",
    await crypto.subtle.importKey("raw", salted, hmac, false, ["sign"]),
    bytes("Client Key"),
  );
  const storedKey = new Uint8Array(await crypto.subtle.digest("SHA-256", clientKey));
  return btoa(String.fromCharCode(...storedKey)) === stored;
}
