import { beforeEach, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../support/api.ts";

let api: TestApi;
let projectId: string;
let first: string;
let second: string;
beforeEach(async () => {
  api = await createTestApi();
  const { data } = (
    await api.call("POST", "/api/v1/projects", {
      body: { name: "Smile Dental", data: { postgres: true } },
    })
  ).body;
  projectId = data.id;
  first = data.databases[0].id;
  const body = { project_id: projectId, name: "rescue" };
  second = (await api.call("POST", "/api/v1/databases", { body })).body.data.id;
});

const promote = (id: string, call = {}) =>
  api.call("POST", `/api/v1/databases/${id}/promote`, call);
const read = async (id: string) => (await api.call("GET", `/api/v1/databases/${id}`)).body.data;

async function bootEnv() {
  const path = `/api/v1/projects/${projectId}/environments/production/boot-env`;
  return (await api.call("GET", path)).body.data.env;
}

it("makes DATABASE_URL the promoted one's; the former keeps one of its own", async () => {
  const before = await bootEnv();
  const { status, body } = await promote(second);
  expect(status).toBe(200);
  expect(body.data).toMatchObject({ id: second, is_primary: true, name: "rescue" });
  const after = await bootEnv();
  expect(after.DATABASE_URL).toBe(before.RESCUE_DATABASE_URL);
  const { name, is_primary, state } = await read(first);
  expect({ is_primary, state }).toEqual({ is_primary: false, state: "running" });
  const variable = `${name.toUpperCase().replaceAll("-", "_")}_DATABASE_URL`;
  expect(after[variable]).toBe(before.DATABASE_URL);
});

it("does nothing to the one that is primary, and tells of each change once", async () => {
  for (const _ of [1, 2, 3]) expect((await promote(second)).status).toBe(200);
  const { body } = await api.call("GET", "/api/v1/events");
  const told = body.data.filter(({ type }: { type: string }) => type === "database.promoted");
  expect(told).toMatchObject([{ database_id: second, data: { former_database_id: first } }]);
});

it("can be taken back, and leaves room for another primary when both are gone", async () => {
  await promote(second);
  await promote(first);
  expect((await read(first)).is_primary).toBe(true);
  for (const id of [first, second]) {
    await api.call("DELETE", `/api/v1/databases/${id}`, { body: { grace_seconds: 0 } });
  }
  expect((await bootEnv()).DATABASE_URL).toMatch(/^postgresql:/);
});

it("of one that is deleted is 409, of a stranger's 404, without the scope 403", async () => {
  await api.call("DELETE", `/api/v1/databases/${second}`);
  const { status, body } = await promote(second);
  expect([status, body.error.code]).toEqual([409, "INVALID_STATE"]);
  expect((await promote(first, { key: await api.addStranger() })).status).toBe(404);
  expect((await promote(first, { key: await api.addKey(["databases:read"]) })).status).toBe(403);
});
