import { beforeEach, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../support/api.ts";

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi();
});

const workspaces = "/api/v1/workspaces";
const create = (body: object, call = {}) => api.call("POST", workspaces, { body, ...call });

it("creates, gets, changes and lists workspaces", async () => {
  const { status, body } = await create({ name: "Clinic 7", external_workspace_id: "c7" });
  expect(status).toBe(201);
  const path = `${workspaces}/${body.data.id}`;
  expect(body.data).toMatchObject({ name: "Clinic 7", external_workspace_id: "c7" });
  await api.call("PATCH", path, { body: { name: "Clinic 8" } });
  expect((await api.call("GET", path)).body.data.name).toBe("Clinic 8");
  expect((await api.call("GET", workspaces)).body.page.total).toBe(2);
});

it("answers lists with at most one key beside data", async () => {
  const { body } = await create({ name: "A" });
  for (const path of ["", `/${body.data.id}/projects`, `/${body.data.id}/databases`]) {
    const list = await api.call("GET", `${workspaces}${path}`);
    expect(Object.keys(list.body).sort()).toEqual(["data", "page"]);
  }
});

it("lists the projects and databases of one workspace", async () => {
  const { body } = await create({ name: "A", slug: "a" });
  const data = { postgres: true };
  await api.call("POST", "/api/v1/projects", { body: { name: "In", workspace_slug: "a", data } });
  await api.call("POST", "/api/v1/projects", { body: { name: "Out", data } });
  const path = `${workspaces}/${body.data.id}`;
  const names = (await api.call("GET", `${path}/projects`)).body.data;
  expect(names.map((each: { name: string }) => each.name)).toEqual(["In"]);
  expect((await api.call("GET", `${path}/databases`)).body.page.total).toBe(1);
});

it("refuses a slug or an external id that is taken with 409", async () => {
  await create({ name: "A", slug: "a", external_workspace_id: "x" });
  for (const taken of [{ slug: "a" }, { external_workspace_id: "x" }]) {
    const answer = await create({ name: "B", ...taken });
    expect([answer.status, answer.body.error.code]).toEqual([409, "NAME_TAKEN"]);
  }
});

it.each([
  ["name", { name: "" }],
  ["slug", { name: "A", slug: "Not A Slug" }],
  ["metadata", { name: "A", metadata: [] }],
])("refuses a wrong %s with 422", async (field, body) => {
  const answer = await create(body);
  expect(answer.status).toBe(422);
  expect(answer.body.errors).toHaveProperty(field);
});

it("is 401 without a key, 403 without the scope, 404 for a stranger", async () => {
  const { body } = await create({ name: "A" });
  expect((await create({ name: "B" }, { key: null })).status).toBe(401);
  const reader = await api.addKey(["projects:read"]);
  expect((await create({ name: "B" }, { key: reader })).status).toBe(403);
  const key = await api.addStranger();
  for (const path of ["", "/projects", "/databases"]) {
    const answer = await api.call("GET", `${workspaces}/${body.data.id}${path}`, { key });
    expect(answer.status).toBe(404);
  }
});

it("enters the workspace a header names; a foreign one is 404", async () => {
  const { body } = await create({ name: "A", slug: "a" });
  const headers = { "x-miosa-workspace": "a" };
  const made = await api.call("POST", "/api/v1/projects", { body: { name: "P" }, headers });
  expect(made.body.data.workspace_id).toBe(body.data.id);
  const key = await api.addStranger();
  expect((await api.call("GET", workspaces, { key, headers })).status).toBe(404);
});

it("does not let a key bound to a workspace make others", async () => {
  const { body } = await create({ name: "A" });
  const key = await api.addKey(["*"], body.data.id);
  expect((await create({ name: "B" }, { key })).status).toBe(403);
});
