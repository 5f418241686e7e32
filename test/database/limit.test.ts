import { beforeEach, describe, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../support/api.ts";

let api: TestApi;
let path: string;
let limits: string;
let plan: string;
beforeEach(async () => {
  api = await createTestApi();
  const body = { name: "Smile Dental", data: { postgres: true } };
  const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
  const { id } = data.databases[0];
  path = `/api/v1/databases/${id}`;
  limits = `/api/v1/admin/databases/${id}/limits`;
  plan = `/api/v1/admin/organizations/${data.tenant_id}/plan`;
});

const get = async () => (await api.call("GET", path)).body.data;
const setPlan = async (body: unknown) => {
  const answer = await api.call("PUT", plan, { body });
  for (const lane of api.nudges.splice(0)) await api.context.drive(lane, 0);
  return answer;
};

describe("a plan", () => {
  it("changes the limits of its databases, in the answer and in the cluster", async () => {
    expect((await setPlan({ small: { connections_max: 150, memory_mb: 1024 } })).status).toBe(200);
    const database = await get();
    expect(database).toMatchObject({ connections_max: 150, memory_mb: 1024, storage_mb: 1024 });
    expect(api.cluster.settings.get(database.database)).toMatchObject({
      transaction: { client_connections_max: 150 },
      bytes_per_backend: 128 * 1024 ** 2,
    });
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
    ["small", { small: { colour: 1 } }],
    ["body", { tiny: {} }],
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
    expect(api.cluster.settings.get(database)?.transaction.pool_size).toBe(2);
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
