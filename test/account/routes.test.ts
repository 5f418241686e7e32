import { beforeEach, describe, expect, it } from "vitest";
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
  expect((await api.call("GET", workspaces)).body.meta.total).toBe(2);
});

it("answers lists with at most one key beside data", async () => {
  const { body } = await create({ name: "A" });
  for (const path of ["", `/${body.data.id}/projects`, `/${body.data.id}/databases`]) {
    const list = await api.call("GET", `${workspaces}${path}`);
    expect(Object.keys(list.body).sort()).toEqual(["data", "meta"]);
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
  expect((await api.call("GET", `${path}/databases`)).body.meta.total).toBe(1);
});

it("refuses a slug that is taken with 409", async () => {
  await create({ name: "A", slug: "a" });
  const answer = await create({ name: "B", slug: "a" });
  expect([answer.status, answer.body.error.code]).toEqual([409, "NAME_TAKEN"]);
});

it("answers with the workspace that has the external id already", async () => {
  const { body: first } = await create({ name: "A", external_workspace_id: "x" });
  const { status, body } = await create({ name: "B", external_workspace_id: "x" });
  expect([status, body.reused, body.data]).toEqual([200, true, first.data]);
});

it("refuses a name in use unless that is meant, and shows the workspace that has it", async () => {
  const { body: first } = await create({ name: "A" });
  const { status, body } = await create({ name: "A" });
  expect([status, body.error.code]).toEqual([409, "WORKSPACE_NAME_EXISTS"]);
  expect(body.error.existing).toMatchObject({ id: first.data.id, name: "A" });
  expect((await create({ name: "A", allow_duplicate_name: true })).status).toBe(201);
});

it("answers a workspace under data and beside it", async () => {
  const { body } = await create({ name: "A" });
  const { data, ...rest } = body;
  expect(rest).toEqual(data);
});

describe("DELETE /workspaces/:id", () => {
  const remove = (id: string, query = "") => api.call("DELETE", `${workspaces}/${id}${query}`);
  const inside = (id: string, body: object = {}) =>
    api.call("POST", "/api/v1/projects", { body: { name: "In", workspace_id: id, ...body } });

  it("takes an empty workspace away and ends the keys bound to it", async () => {
    const { data } = (await create({ name: "A", slug: "a" })).body;
    const key = await api.addKey(["*"], data.id);
    expect((await remove(data.id)).body.data).toMatchObject({ deleted: true, projects: [] });
    expect((await api.call("GET", `${workspaces}/${data.id}`)).status).toBe(404);
    expect((await api.call("GET", workspaces, { key })).status).toBe(401);
    expect((await create({ name: "A", slug: "a" })).status).toBe(201);
  });

  it("refuses one with projects; force deletes them, an undelete brings both back", async () => {
    const { data } = (await create({ name: "A" })).body;
    const project = (await inside(data.id, { data: { postgres: true } })).body.data;
    const refused = await remove(data.id);
    expect([refused.status, refused.body.error.code]).toEqual([409, "WORKSPACE_NOT_EMPTY"]);
    const dry = await remove(data.id, "?force=true&dry_run=true");
    expect(dry.body.data).toMatchObject({ dry_run: true, deleted: false, projects: [project.id] });
    expect((await api.call("GET", `${workspaces}/${data.id}`)).status).toBe(200);
    expect((await remove(data.id, "?force=true")).status).toBe(200);
    await api.context.drive(`project:${project.id}`, 1000);
    expect((await api.call("GET", `/api/v1/projects/${project.id}`)).body.data.state).toBe(
      "deleted",
    );
    const back = await api.call("POST", `/api/v1/projects/${project.id}/undelete`);
    expect(back.status).toBe(200);
    expect((await api.call("GET", `${workspaces}/${data.id}`)).status).toBe(200);
  });

  it("refuses the default one, and one with a protected database, and nothing goes", async () => {
    const [first] = (await api.call("GET", workspaces)).body.data;
    expect((await remove(first.id, "?force=true")).body.error.code).toBe("DEFAULT_WORKSPACE");
    const { data } = (await create({ name: "A" })).body;
    const project = (await inside(data.id, { data: { postgres: true } })).body.data;
    const path = `/api/v1/databases/${project.databases[0].id}`;
    await api.call("PATCH", path, { body: { deletion_protection: true } });
    expect((await remove(data.id, "?force=true")).body.error.code).toBe("DELETION_PROTECTED");
    expect((await api.call("GET", path)).body.data.state).toBe("running");
  });
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
