import { beforeEach, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../support/api.ts";

let api: TestApi;
let project: { id: string; databases: { id: string }[] };
beforeEach(async () => {
  api = await createTestApi();
  const body = { name: "Smile Dental", data: { postgres: true } };
  project = (await api.call("POST", "/api/v1/projects", { body })).body.data;
});

const operations = "/api/v1/operations";

it("shows what was done, step by step", async () => {
  const { body } = await api.call("GET", `${operations}?project_id=${project.id}`);
  expect(body.total).toBe(1);
  const [one] = body.data;
  expect(one).toMatchObject({
    kind: "database.provision",
    status: "succeeded",
    database_id: project.databases[0]?.id,
    current_step: null,
    steps_done: 2,
    steps_total: 2,
    error: null,
  });
  expect(Object.keys(one.step_milliseconds)).toEqual(["create", "publish"]);
  expect((await api.call("GET", `${operations}/${one.id}`)).body.data).toEqual(one);
});

it("filters by status and kind", async () => {
  const total = async (query: string) =>
    (await api.call("GET", `${operations}?${query}`)).body.total;
  expect(await total("status=succeeded")).toBe(1);
  expect(await total("status=failed")).toBe(0);
  expect(await total("kind=database.destroy")).toBe(0);
  expect((await api.call("GET", `${operations}?status=odd`)).status).toBe(422);
});

it("says why one failed, without an internal word", async () => {
  for (let call = 1; call <= 60; call++) api.host.failAt(call, "before");
  const body = { name: "Doomed", data: { postgres: true } };
  const made = (await api.call("POST", "/api/v1/projects", { body })).body.data;
  for (let turn = 0; turn < 40; turn++) {
    api.clock.advance(40);
    await api.context.drive(`project:${made.id}`, 2000);
  }
  const { data } = (await api.call("GET", `${operations}?project_id=${made.id}`)).body;
  expect(data[0].status).toMatch(/unwinding|failed/);
  expect(data[0].error.code).toMatch(/DEADLINE_EXCEEDED|ATTEMPTS_EXHAUSTED/);
  expect(JSON.stringify(data[0])).not.toContain("did not answer");
});

it("is 400 for no UUID, 401 without a key, 403 without the scope, 404 for a stranger", async () => {
  const { body } = await api.call("GET", operations);
  const path = `${operations}/${body.data[0].id}`;
  expect((await api.call("GET", `${operations}/x`)).status).toBe(400);
  expect((await api.call("GET", path, { key: null })).status).toBe(401);
  const key = await api.addKey(["databases:write"]);
  expect((await api.call("GET", path, { key })).status).toBe(403);
  const stranger = await api.addStranger();
  expect((await api.call("GET", path, { key: stranger })).status).toBe(404);
  expect((await api.call("GET", operations, { key: stranger })).body.total).toBe(0);
});

it("is canceled: what it did is taken back, and the host is as it was", async () => {
  api.host.failAt(2, "before");
  const body = { name: "Doomed", data: { postgres: true } };
  const made = (await api.call("POST", "/api/v1/projects", { body })).body.data;
  const path = `${operations}/${made.databases[0].operation_id}`;
  const { status, body: answer } = await api.call("POST", `${path}/cancel`);
  expect([status, answer.data.status]).toEqual([200, "canceled"]);
  expect(api.host.databases.size).toBe(1);
  const again = await api.call("POST", `${path}/cancel`);
  expect([again.status, again.body.error.code]).toEqual([409, "OPERATION_ENDED"]);
});

it("is not canceled without the scope, or by a stranger", async () => {
  const { body } = await api.call("GET", operations);
  const path = `${operations}/${body.data[0].id}/cancel`;
  const key = await api.addKey(["databases:read", "projects:read"]);
  expect((await api.call("POST", path, { key })).status).toBe(403);
  expect((await api.call("POST", path, { key: await api.addStranger() })).status).toBe(404);
});
