// Databases nobody has asked for yet: how they are made, claimed, kept and removed.
import { env } from "cloudflare:workers";
import { asc, eq } from "drizzle-orm";
import { beforeEach, describe, expect, it } from "vitest";
import { reconcileHost } from "../../src/database/reconcile.ts";
import { leaveSpare } from "../../src/database/spare-make.ts";
import { fillSpares, tendSpares } from "../../src/database/spare-tend.ts";
import { specOf } from "../../src/database/spec.ts";
import { database, spare } from "../../src/database/table.ts";
import { holdRepairs, releaseRepairs } from "../../src/hold/hold.ts";
import { markHosts } from "../../src/hold/mark.ts";
import { host } from "../../src/host/table.ts";
import { operation } from "../../src/operation/table.ts";
import { event } from "../../src/webhook/table.ts";
import { onCron } from "../../workers/cron.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { runToEnd } from "../support/run.ts";
import { hostId } from "../support/seed.ts";

const lane = `spare:${hostId}`;

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi();
});

const db = () => api.context.db;
const spares = () => db().select().from(spare).orderBy(asc(spare.seq));
const statesOf = async () => (await spares()).map(({ state }) => state);
const counts = async () => {
  const [row] = await db().select().from(host).where(eq(host.id, hostId));
  return [row?.databasesCount, row?.backendsCount];
};
const callsOf = (since: number) => api.host.calls.slice(since).map(({ name }) => name);

/** Keeps between so many and so many from now on. */
const keep = (min: number, max: number) => Object.assign(api.context, { spares: { min, max } });

/** Has so many ready. */
async function ready(count: number) {
  keep(count, count);
  await fillSpares(api.context, hostId);
  await runToEnd(api, lane);
  expect(await statesOf()).toEqual(Array(count).fill("ready"));
}

const create = (body: object = {}) =>
  api.call("POST", "/api/v1/projects", {
    body: { name: "Smile Dental", data: { postgres: true }, ...body },
  });
const createIn = async (environment: string, size = "small") => {
  const { data } = (await create({ data: {} })).body;
  const body = { project_id: data.id, environment, size };
  return (await api.call("POST", "/api/v1/databases", { body })).body.data;
};

describe("a spare", () => {
  it("is complete before anyone asks: it answered a query with the very URL", async () => {
    await ready(2);
    const names = (await spares()).map(({ databaseName }) => databaseName);
    expect(api.host.inState("running").sort()).toEqual(names.sort());
    expect(callsOf(1)).toEqual([
      ...["database.create", "database.probe"],
      ...["database.create", "database.probe"],
    ]);
    expect(await counts()).toEqual([2, 16]);
  });

  it("that could not be made leaves nothing, and is tried again after a while", async () => {
    keep(1, 1);
    await fillSpares(api.context, hostId);
    for (let call = 1; call <= 5; call++) api.host.failAt(call, call % 2 ? "after" : "before");
    await runToEnd(api, lane);
    expect([await spares(), api.host.isEmpty(), await counts()]).toEqual([[], true, [0, 0]]);
    expect(await fillSpares(api.context, hostId)).toBe(false);
    api.clock.advance(301);
    expect(await fillSpares(api.context, hostId)).toBe(true);
    await runToEnd(api, lane);
    expect(await statesOf()).toEqual(["ready"]);
  });

  it("is no orphan, and counted as a database of its host", async () => {
    await ready(2);
    api.clock.advance(60);
    await db().update(host).set({ databasesCount: 7, backendsCount: 70 });
    expect(await reconcileHost(api.context, hostId)).toMatchObject({ orphans: 0 });
    expect(await counts()).toEqual([2, 16]);
  });

  it("that is not there or does not run is nobody's, and is removed", async () => {
    await ready(3);
    const [gone, stopped, well] = await spares();
    api.host.things.databases.delete(gone?.databaseName ?? "");
    api.host.change(stopped?.databaseName ?? "", { state: "failed" });
    api.clock.advance(60);
    await reconcileHost(api.context, hostId);
    await runToEnd(api, lane);
    expect((await spares()).map(({ id }) => id)).toEqual([well?.id]);
    expect([...api.host.databases.keys()]).toEqual([well?.databaseName]);
  });
});

describe("a create", () => {
  it("claims one: the answer has its URLs, and no host was called", async () => {
    await ready(1);
    const [one] = await spares();
    const before = api.host.calls.length;
    const { status, body } = await create();
    expect(status).toBe(201);
    const [made] = body.data.databases;
    expect(made).toMatchObject({ id: one?.id, state: "running", database: one?.databaseName });
    expect(callsOf(before)).toEqual([]);
    const { hostname, username, password, pathname } = new URL(made.database_url);
    expect([hostname, pathname]).toEqual(["127.0.0.1", `/${one?.databaseName}`]);
    const login = { database: pathname.slice(1), user: username, password };
    await api.context.host.command(hostId, "database.probe", { login, by: "address" });
    expect(await spares()).toEqual([]);
    expect(await counts()).toEqual([1, 8]);
    const told = (await db().select().from(event).orderBy(asc(event.seq))).map(({ type }) => type);
    expect(told).toEqual(["project.created", "database.created", "database.running"]);
  });

  it("is told what differs from every spare beside the answer", async () => {
    await ready(2);
    expect((await createIn("production")).state).toBe("running");
    const { state, suspend_after_seconds, database: name } = await createIn("staging");
    expect([state, suspend_after_seconds]).toEqual(["running", 300]);
    await api.settled();
    for (const row of await db().select().from(database)) {
      expect(api.host.spec(row.databaseName)).toEqual(await specOf(api.context, row));
    }
    expect(api.host.spec(name)?.suspend_after_seconds).toBe(300);
  });

  it("has it repaired when that was lost", async () => {
    await ready(1);
    api.host.failAt(1, "before");
    const { database: name } = await createIn("staging");
    await api.settled();
    expect(api.host.spec(name)?.suspend_after_seconds).toBe(0);
    api.clock.advance(60);
    expect(await reconcileHost(api.context, hostId)).toMatchObject({ repaired: 1 });
    expect(api.host.spec(name)?.suspend_after_seconds).toBe(300);
  });

  it("of another size, or under a plan of its own, is made as before", async () => {
    await ready(2);
    expect((await createIn("production", "medium")).state).toBe("running");
    expect(await statesOf()).toEqual(["ready", "ready"]);
    const plan = `/api/v1/admin/organizations/${api.actor.organizationId}/plan`;
    await api.call("PUT", plan, { body: { small: { connections_max: 150 } } });
    const { body } = await create();
    expect(body.data.databases[0]).toMatchObject({ state: "running", connections_max: 150 });
    expect(await statesOf()).toEqual(["ready", "ready"]);
  });

  it("in a burst claims what is there, each another, and makes the rest", async () => {
    await ready(5);
    const ids = new Set((await spares()).map(({ id }) => id));
    keep(0, 0);
    const answers = await Promise.all(Array.from({ length: 40 }, () => create()));
    const made = answers.map(({ body }) => body.data.databases[0]);
    expect(answers.map(({ status }) => status)).toEqual(Array(40).fill(201));
    expect(new Set(made.map((each) => each.database)).size).toBe(40);
    expect(made.filter(({ id }) => ids.has(id))).toHaveLength(5);
    expect(made.map(({ state }) => state)).toEqual(Array(40).fill("running"));
    expect(await spares()).toEqual([]);
    expect(await counts()).toEqual([40, 320]);
    const begun = await db()
      .select()
      .from(operation)
      .where(eq(operation.kind, "database.provision"));
    expect(begun).toHaveLength(35);
  });

  it("that fails for another reason leaves the spare", async () => {
    await ready(1);
    const { data } = (await create({ data: {} })).body;
    const body = { project_id: data.id, name: "primary" };
    expect((await api.call("POST", "/api/v1/databases", { body })).status).toBe(422);
    expect((await create({ slug: data.slug })).status).toBe(409);
    expect(await statesOf()).toEqual(["ready"]);
  });

  it("claims none on a host that drains, is silent, or while repairs are held", async () => {
    await ready(1);
    const change = (fields: object) => db().update(host).set(fields);
    await change({ silentSince: api.clock.now() });
    expect((await create()).body.error.code).toBe("NO_CAPACITY");
    await change({ silentSince: null, state: "draining" });
    expect((await create()).body.error.code).toBe("NO_CAPACITY");
    await change({ state: "active" });
    await holdRepairs(api.context, "somebody looks at it.", "key");
    expect((await create()).status).toBe(201);
    expect(await statesOf()).toEqual(["ready"]);
    await releaseRepairs(api.context);
    expect((await create()).status).toBe(201);
    expect(await statesOf()).toEqual([]);
  });

  it("claims none that is leaving, nor is one removed that was claimed", async () => {
    await ready(2);
    const [first, second] = await spares();
    if (first === undefined || second === undefined) throw new Error("No stage.");
    await leaveSpare(api.context, first);
    const { body } = await create();
    expect(body.data.databases[0].id).toBe(second.id);
    await leaveSpare(api.context, second);
    await runToEnd(api, lane);
    expect([...api.host.databases.keys()]).toEqual([second.databaseName]);
    expect(await counts()).toEqual([1, 8]);
  });

  it("claims none that was not confirmed for long", async () => {
    await ready(1);
    api.clock.advance(120);
    await reconcileHost(api.context, hostId);
    api.clock.advance(120);
    const [one] = await spares();
    expect((await create()).body.data.databases[0].id).toBe(one?.id);
    await ready(1);
    api.clock.advance(181);
    const { body } = await create();
    expect(body.data.databases[0].state).toBe("running");
    expect(await statesOf()).toEqual(["ready"]);
  });
});

describe("a D1 that was brought back from an earlier time", () => {
  it("gives no spare away that is a tenant's, and removes none", async () => {
    await ready(1);
    await markHosts(api.context);
    const [before] = await db().select().from(host);
    const rows = await spares();
    for (let minute = 0; minute < 5; minute++) await markHosts(api.context);
    const { database: name } = await createIn("production");
    // D1 as it was before.
    await db().delete(database);
    await db().insert(spare).values(rows);
    await db()
      .update(host)
      .set({
        markConfirmed: before?.markConfirmed ?? null,
        markPending: before?.markPending ?? null,
      });
    keep(0, 0);
    api.clock.advance(300);
    expect((await createIn("production")).database).not.toBe(name);
    await onCron(env, "* * * * *", async () => api.context);
    expect(await spares()).toEqual([]);
    await releaseRepairs(api.context);
    for (let minute = 0; minute < 3; minute++) {
      api.clock.advance(60);
      await onCron(env, "* * * * *", async () => api.context);
      for (const each of api.nudges.splice(0)) await api.context.drive(each, 0);
    }
    expect(api.host.databases.has(name)).toBe(true);
    expect((await createIn("production")).database).not.toBe(name);
  });
});

describe("the number of spares", () => {
  it("follows what was asked for in ten minutes, within its bounds", async () => {
    keep(1, 4);
    await tendSpares(api.context);
    await runToEnd(api, lane);
    expect(await statesOf()).toHaveLength(1);
    for (let at = 0; at < 3; at++) await create();
    await fillSpares(api.context, hostId);
    expect(await statesOf()).toHaveLength(3);
    for (let at = 0; at < 5; at++) await create();
    await fillSpares(api.context, hostId);
    expect(await statesOf()).toHaveLength(4);
    await runToEnd(api, lane);
    api.clock.advance(3600);
    await tendSpares(api.context);
    expect(await statesOf(), "a day's demand stays").toHaveLength(4);
    api.clock.advance(86_400);
    await tendSpares(api.context);
    await runToEnd(api, lane);
    expect(await statesOf()).toEqual(["ready"]);
  });

  it("is filled in a pause after a claim, in the lane of the host's spares", async () => {
    await ready(1);
    api.nudges.length = 0;
    await create();
    await api.settled();
    expect(api.nudges).toContain(lane);
    await api.context.drive(lane, 0);
    expect(await statesOf()).toEqual(["ready"]);
  });

  it("is never more than a part of the room that is left", async () => {
    keep(20, 20);
    await db().update(host).set({ databasesMax: 10 });
    await fillSpares(api.context, hostId);
    expect(await statesOf()).toHaveLength(2);
    await db()
      .update(host)
      .set({ databasesMax: 300, backendsMax: 16 + 32 });
    await fillSpares(api.context, hostId);
    expect(await statesOf()).toHaveLength(3);
  });

  it("is none on a host that drains, which can be forgotten then", async () => {
    await ready(3);
    const path = `/api/v1/admin/hosts/${hostId}`;
    expect((await api.call("DELETE", path)).body.error.code).toBe("HOST_NOT_EMPTY");
    await api.call("PATCH", path, { body: { state: "draining" } });
    await tendSpares(api.context);
    await runToEnd(api, lane);
    expect([await spares(), api.host.isEmpty(), await counts()]).toEqual([[], true, [0, 0]]);
    expect((await api.call("DELETE", path)).status).toBe(204);
  });
});
