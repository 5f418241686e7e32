import { beforeEach, describe, expect, it } from "vitest";
import { followPlans } from "../../src/database/limit.ts";
import { createTestApi, type TestApi } from "../support/api.ts";

let api: TestApi;
let path: string;
let limits: string;
let plan: string;
let lane: string;
beforeEach(async () => {
  api = await createTestApi();
  const body = { name: "Smile Dental", data: { postgres: true } };
  const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
  const { id } = data.databases[0];
  path = `/api/v1/databases/${id}`;
  limits = `/api/v1/admin/databases/${id}/limits`;
  lane = `project:${data.id}`;
  plan = `/api/v1/admin/organizations/${data.tenant_id}/plan`;
});

const get = async () => (await api.call("GET", path)).body.data;
const setPlan = async (body: unknown) => {
  const answer = await api.call("PUT", plan, { body });
  for (const lane of api.nudges.splice(0)) await api.context.drive(lane, 0);
  return answer;
};

describe("a plan", () => {
  it("changes the limits of its databases, in the answer and in the host", async () => {
    expect((await setPlan({ small: { connections_max: 150, memory_mb: 1024 } })).status).toBe(200);
    const database = await get();
    expect(database).toMatchObject({ connections_max: 150, memory_mb: 1024, storage_mb: 1024 });
    expect(api.host.spec(database.database)).toMatchObject({
      transaction: { client_connections_max: 150 },
      memory_bytes: 1024 ** 3,
    });
  });

  it("is answered as it was given, and 404 for an organization that is none", async () => {
    const given = { small: { storage_mb: 2048, pool_size: 4 }, large: { memory_mb: 16_384 } };
    await setPlan(given);
    expect((await api.call("GET", plan)).body.data.plan).toEqual(given);
    expect(await get()).toMatchObject({ storage_mb: 2048, pool_size: 4 });
    const nobodys = "/api/v1/admin/organizations/019a0000-0000-7000-8000-000000000000/plan";
    expect((await api.call("GET", nobodys)).status).toBe(404);
    expect((await api.call("PUT", nobodys, { body: {} })).status).toBe(404);
  });

  it("reaches a busy database once it is free", async () => {
    api.host.failAt(1, "before");
    expect((await api.call("POST", `${path}/restart`)).status).toBe(202);
    expect((await setPlan({ small: { connections_max: 150 } })).status).toBe(200);
    expect((await get()).connections_max).toBe(100);
    api.clock.advance(60);
    await api.context.drive(lane, 0);
    await followPlans(api.context);
    await api.context.drive(lane, 0);
    expect(await get()).toMatchObject({ state: "running", connections_max: 150 });
  });

  it("holds for databases that are made or resized later", async () => {
    await setPlan({ medium: { connections_max: 222 } });
    await api.call("PATCH", path, { body: { size: "medium" } });
    expect((await get()).connections_max).toBe(222);
    const body = { name: "Another", data: { postgres: { size: "medium" } } };
    const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
    expect(data.databases[0].connections_max).toBe(222);
  });

  it("is as published again when it is taken away", async () => {
    await setPlan({ small: { connections_max: 150 } });
    await setPlan({});
    expect((await get()).connections_max).toBe(100);
  });

  it.each([
    ["small.connections_max", { small: { connections_max: -1 } }],
    ["small.connections_max", { small: { connections_max: "many" } }],
    ["small.storage_mb", { small: { storage_mb: 20_000 } }],
    ["small.pool_size", { small: { pool_size: 0 } }],
    ["large.memory_mb", { large: { memory_mb: 1e12 } }],
    ["medium.session_connections_max", { medium: { session_connections_max: 1.5 } }],
    ["small.colour", { small: { colour: 1 } }],
    ["tiny", { tiny: {} }],
  ])("with a wrong %s is 422 and changes nothing", async (field, body) => {
    const answer = await setPlan(body);
    expect(answer.status).toBe(422);
    expect(Object.keys(answer.body.errors)).toEqual([field]);
    expect((await get()).connections_max).toBe(100);
  });
});

describe("an operator", () => {
  it("gives one database numbers of its own, before its plan's, and takes them back", async () => {
    await setPlan({ small: { connections_max: 150 } });
    const own = await api.call("PATCH", limits, { body: { connections_max: 7, pool_size: 2 } });
    expect(own.body.data.connections_max).toBe(7);
    await api.call("PATCH", limits, { body: { connections_max: null } });
    expect((await get()).connections_max).toBe(150);
    const { database } = await get();
    expect(api.host.spec(database)?.transaction.pool_size).toBe(2);
  });

  it.each([
    ["connections_max", { connections_max: 0 }],
    ["memory_mb", { memory_mb: "512" }],
    ["storage_mb", { storage_mb: 11 * 1024 }],
    ["cpu_count", { cpu_count: 4 }],
  ])("with a wrong %s is 422 and changes nothing", async (field, body) => {
    const answer = await api.call("PATCH", limits, { body });
    expect([answer.status, Object.keys(answer.body.errors)]).toEqual([422, [field]]);
    expect(await get()).toMatchObject({ connections_max: 100, memory_mb: 512, storage_mb: 1024 });
  });

  it("alone may do that", async () => {
    const key = await api.addKey(["*"]);
    expect((await api.call("PATCH", limits, { body: {}, key })).status).toBe(403);
    expect((await api.call("PUT", plan, { body: {}, key })).status).toBe(403);
    expect((await api.call("GET", "/api/v1/admin/organizations", { key })).status).toBe(403);
    const { body } = await api.call("GET", "/api/v1/admin/organizations");
    expect(body.total).toBe(1);
  });
});
