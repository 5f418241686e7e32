import { eq } from "drizzle-orm";
import { beforeEach, describe, expect, it } from "vitest";
import { commit } from "../../src/core/batch.ts";
import { beginConfigure } from "../../src/database/configure.ts";
import { backendsOf, databaseSizes, sizeLimits } from "../../src/database/size.ts";
import { database } from "../../src/database/table.ts";
import { host } from "../../src/host/table.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { purge } from "../support/purge.ts";
import { hostId } from "../support/seed.ts";

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi();
});

const db = () => api.context.db;
const room = async (backendsMax: number) => {
  await db().update(host).set({ backendsMax }).where(eq(host.id, hostId));
};
const counted = async () => {
  const [row] = await db().select().from(host).where(eq(host.id, hostId));
  return row?.backendsCount;
};
const create = (size = "small", name = "Smile Dental") =>
  api.call("POST", "/api/v1/projects", { body: { name, data: { postgres: { size } } } });
const created = async (size?: string, name?: string) => {
  const { data } = (await create(size, name)).body;
  return { ...data.databases[0], project: data };
};
const resize = (id: string, size: string) =>
  api.call("PATCH", `/api/v1/databases/${id}`, { body: { size } });
const limit = (id: string, body: object) =>
  api.call("PATCH", `/api/v1/admin/databases/${id}/limits`, { body });

describe("a host's backends", () => {
  it("are taken by each size as its pools have them, and cover its clients", () => {
    const taken = databaseSizes.map((size) => backendsOf(sizeLimits[size]));
    expect(taken).toEqual([8, 16, 32]);
  });

  it("are taken with a place, and given back when the database is gone", async () => {
    const { id } = await created("medium");
    expect(await counted()).toBe(16);
    const path = `/api/v1/databases/${id}`;
    await api.call("DELETE", path);
    expect(await counted(), "a deleted one may come back").toBe(16);
    api.clock.advance(2 * 86_400);
    await purge(api);
    expect(await counted()).toBe(0);
  });

  it("follow the plan a database is made under", async () => {
    const { project } = await created();
    const plan = `/api/v1/admin/organizations/${project.tenant_id}/plan`;
    await api.call("PUT", plan, {
      body: { medium: { pool_size: 3, session_connections_max: 30 } },
    });
    await created("medium", "Another");
    expect(await counted()).toBe(8 + 33);
  });

  it("are taken for clients, where those are more than its pools are for", async () => {
    const { id } = await created();
    await limit(id, { connections_max: 10_000 });
    expect(await counted()).toBe(625);
  });

  it("leave no place for a size that takes more than are left", async () => {
    await room(20);
    await created();
    const refused = await create("medium", "Another");
    expect([refused.status, refused.body.error.code]).toEqual([503, "NO_CAPACITY"]);
    expect((await create("small", "Small")).status).toBe(201);
    expect(await counted()).toBe(16);
  });

  it("never exceed what there is, however many come at once", async () => {
    await room(3 * 8 + 7);
    const names = Array.from({ length: 8 }, (_, at) => `Project ${at}`);
    const answers = await Promise.all(names.map((name) => create("small", name)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(3);
    expect(answers.filter(({ status }) => status === 503)).toHaveLength(5);
    expect(await counted()).toBe(24);
  });
});

describe("a change of limits", () => {
  it("moves the count with the size, up and down", async () => {
    const { id } = await created();
    await resize(id, "large");
    expect(await counted()).toBe(32);
    await resize(id, "medium");
    expect(await counted()).toBe(16);
  });

  it("that does not fit is 409 with the numbers and changes nothing", async () => {
    await room(30);
    const { id } = await created();
    for (const answer of [await resize(id, "large"), await limit(id, { pool_size: 28 })]) {
      expect([answer.status, answer.body.error.code]).toEqual([409, "NO_CAPACITY"]);
      const details = { backends: 24, backends_left: 22, backends_max: 30 };
      expect(answer.body.error.details).toEqual(details);
      expect(answer.body.error.message).toMatch(/24 backends more.*22 of its 30.*backends_max/);
    }
    const { data } = (await api.call("GET", `/api/v1/databases/${id}`)).body;
    expect(data).toMatchObject({ size: "small", pool_size: 4, state: "running" });
    expect(await counted()).toBe(8);
  });

  it("by a plan that does not fit is 409 and leaves the plan as it was", async () => {
    await room(20);
    const [{ project }] = [await created(), await created("small", "Another")];
    const plan = `/api/v1/admin/organizations/${project.tenant_id}/plan`;
    const refused = await api.call("PUT", plan, { body: { small: { pool_size: 7 } } });
    expect([refused.status, refused.body.error.details]).toEqual([
      409,
      { backends: 6, backends_left: 4, backends_max: 20 },
    ]);
    expect((await api.call("GET", plan)).body.data.plan).toEqual({});
    const taken = await api.call("PUT", plan, { body: { small: { pool_size: 6 } } });
    expect(taken.status).toBe(200);
    for (const lane of api.nudges.splice(0)) await api.context.drive(lane, 0);
    expect(await counted()).toBe(20);
  });

  it("takes what is more from its beginning, and gives it back when it is undone", async () => {
    const { id, project } = await created();
    const [row] = await db().select().from(database);
    if (row === undefined) throw new Error("No stage.");
    const { operationId, statements } = beginConfigure(api.context, row, { size: "large" }, null);
    await commit(api.context, statements);
    expect(await counted()).toBe(32);
    await api.call("POST", `/api/v1/operations/${operationId}/cancel`);
    await api.context.drive(`project:${project.id}`, 0);
    expect(await counted()).toBe(8);
    expect((await api.call("GET", `/api/v1/databases/${id}`)).body.data.size).toBe("small");
  });

  it("of two that race for the last backends one is made", async () => {
    await room(8 + 8 + 24);
    const ids = [(await created()).id, (await created("small", "Another")).id];
    const answers = await Promise.all(ids.map((id) => resize(id, "large")));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, expect.any(Number)]);
    expect(answers.filter(({ body }) => body.error?.code === "NO_CAPACITY")).toHaveLength(1);
    expect(await counted()).toBe(40);
  });
});
