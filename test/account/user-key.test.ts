// A key of one external user: what others have does not exist for it.
import { beforeEach, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../support/api.ts";

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi();
});

const root = "/api/v1";
const scopes = ["projects:write", "databases:write", "events:read", "workspaces:read"];

async function keyOf(external_user_id: string, more = {}): Promise<string> {
  const body = { external_user_id, scopes, ...more };
  const answer = await api.call("POST", `${root}/api-keys/scoped`, { body });
  expect([answer.status, answer.body.data?.external_user_id]).toEqual([201, external_user_id]);
  return answer.body.data.key;
}

async function projectOf(external_user_id: string, key?: string) {
  const body = { name: "P", external_user_id, data: { postgres: true } };
  const answer = await api.call("POST", `${root}/projects`, { body, ...(key ? { key } : {}) });
  expect(answer.status).toBe(201);
  const [{ id: databaseId }] = answer.body.data.databases;
  return { id: answer.body.data.id as string, databaseId: databaseId as string };
}

it("reads and changes what is attributed to its user", async () => {
  const key = await keyOf("alice");
  const { id, databaseId } = await projectOf("alice");
  for (const path of [
    `/projects/${id}`,
    `/databases/${databaseId}`,
    `/databases/${databaseId}/credentials`,
    `/projects/${id}/environments/production/boot-env`,
    `/databases/${databaseId}/restores`,
    `/workspaces`,
  ]) {
    expect([path, (await api.call("GET", root + path, { key })).status]).toEqual([path, 200]);
  }
  const path = `${root}/databases/${databaseId}`;
  expect((await api.call("POST", `${path}/restart`, { key })).status).toBeLessThan(300);
});

it("finds nothing of another user, in no list and at no path", async () => {
  const key = await keyOf("alice");
  const { id, databaseId } = await projectOf("bob");
  const operation = (await api.call("GET", `${root}/operations`)).body.data[0];
  for (const [method, path] of [
    ["GET", `/projects/${id}`],
    ["DELETE", `/projects/${id}`],
    ["GET", `/projects/${id}/environments/production/boot-env`],
    ["GET", `/projects/${id}/data-services`],
    ["GET", `/databases/${databaseId}`],
    ["GET", `/databases/${databaseId}/credentials`],
    ["GET", `/databases/${databaseId}/backups`],
    ["POST", `/databases/${databaseId}/stop`],
    ["DELETE", `/databases/${databaseId}`],
    ["GET", `/operations/${operation.id}`],
  ] as const) {
    const answer = await api.call(method, root + path, { key });
    expect([method, path, answer.status]).toEqual([method, path, 404]);
  }
  for (const list of ["/projects", "/databases", "/operations", "/events"]) {
    expect([list, (await api.call("GET", root + list, { key })).body.total]).toEqual([list, 0]);
    expect((await api.call("GET", root + list)).body.total).toBeGreaterThan(0);
  }
});

it("lists the operations and events of its own user", async () => {
  const key = await keyOf("alice");
  const { id } = await projectOf("alice");
  for (const list of ["/operations", "/events"]) {
    const { body } = await api.call("GET", root + list, { key });
    expect(body.total).toBeGreaterThan(0);
    for (const row of body.data) expect(row.project_id ?? row.data?.project_id ?? id).toBe(id);
  }
});

it("attributes what it makes to its user, and takes no other name", async () => {
  const key = await keyOf("alice");
  const create = (path: string, body: object) => api.call("POST", root + path, { body, key });
  const project = await create("/projects", { name: "Mine" });
  expect(project.body.data.external_user_id).toBe("alice");
  const database = await create("/databases", { name: "d", project_id: project.body.data.id });
  expect(database.body.data.external_user_id).toBe("alice");
  const made = await create("/databases", { name: "e", external_project_id: "x" });
  expect(made.body.data.external_user_id).toBe("alice");
  for (const [path, body] of [
    ["/projects", { name: "Theirs" }],
    ["/databases", { name: "f", project_id: project.body.data.id }],
  ] as const) {
    const refused = await create(path, { ...body, external_user_id: "bob" });
    expect([refused.status, Object.keys(refused.body.errors)]).toEqual([422, ["external_user_id"]]);
  }
});

it("does not reach the default project, which is everybody's", async () => {
  const key = await keyOf("alice");
  const { status, body } = await api.call("POST", `${root}/databases`, {
    body: { name: "d" },
    key,
  });
  expect([status, Object.keys(body.errors)]).toEqual([422, ["project_id"]]);
});

it("takes no scope that is about all users, and has none through a broader one", async () => {
  const body = { external_user_id: "alice", scopes: ["webhooks:read"] };
  expect((await api.call("POST", `${root}/api-keys/scoped`, { body })).status).toBe(422);
  const key = await keyOf("alice");
  for (const [method, path] of [
    ["GET", "/api-keys"],
    ["GET", "/webhooks"],
    ["POST", "/workspaces"],
  ] as const) {
    const answer = await api.call(method, root + path, {
      key,
      body: method === "POST" ? { name: "W" } : undefined,
    });
    expect([path, answer.status]).toEqual([path, 403]);
  }
});

it("sees no workspace but the default one, or the one it is bound to", async () => {
  const body = { name: "Other customer", external_workspace_id: "c2" };
  const { id } = (await api.call("POST", `${root}/workspaces`, { body })).body.data;
  const [key, bound] = [await keyOf("alice"), await keyOf("alice", { workspace_id: id })];
  const seen = async (by: string) =>
    (await api.call("GET", `${root}/workspaces`, { key: by })).body.data.map(
      (each: { name: string }) => each.name,
    );
  expect([await seen(key), await seen(bound)]).toEqual([["Default"], ["Other customer"]]);
  expect((await api.call("GET", `${root}/workspaces/${id}`, { key })).status).toBe(404);
  const project = { name: "P", external_workspace_id: "unheard of" };
  const refused = await api.call("POST", `${root}/projects`, { body: project, key });
  expect(refused.status).toBe(404);
});
