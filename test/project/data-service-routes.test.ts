import { beforeEach, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../support/api.ts";

let api: TestApi;
let services: string;
let projectId: string;
beforeEach(async () => {
  api = await createTestApi();
  const { body } = await api.call("POST", "/api/v1/projects", { body: { name: "Smile Dental" } });
  projectId = body.data.id;
  services = `/api/v1/projects/${projectId}/data-services`;
});

const add = (body: object, call = {}) => api.call("POST", services, { body, ...call });

it("adds Postgres to an existing project", async () => {
  const { status, body } = await add({ type: "postgres", size: "small" });
  expect(status).toBe(201);
  expect(body.data).toMatchObject({
    type: "postgres",
    state: "running",
    is_primary: true,
    environment: "production",
  });
  expect(body.data.database_url).toMatch(/^postgresql:\/\//);
});

it("refuses a second primary with 409 naming the first", async () => {
  const first = await add({ type: "postgres" });
  const { status, body } = await add({ type: "postgres" });
  expect(status).toBe(409);
  expect(body.error).toMatchObject({
    code: "ALREADY_EXISTS",
    details: { database_id: first.body.data.id },
  });
});

it("gives two racing requests one primary", async () => {
  const answers = await Promise.all([1, 2, 3].map(() => add({ type: "postgres" })));
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409]);
});

it("puts a named one beside the primary, in the variable of its name", async () => {
  await add({ type: "postgres" });
  await add({ type: "postgres", name: "analytics" });
  const path = `/api/v1/projects/${projectId}/environments/production/boot-env`;
  const { env } = (await api.call("GET", path)).body.data;
  expect(Object.keys(env).sort()).toEqual([
    "ANALYTICS_DATABASE_HTTP_URL",
    "ANALYTICS_DATABASE_URL",
    "ANALYTICS_DATABASE_URL_SESSION",
    "DATABASE_HTTP_URL",
    "DATABASE_URL",
    "DATABASE_URL_SESSION",
    "DIRECT_URL",
  ]);
  expect(env.ANALYTICS_DATABASE_URL).not.toBe(env.DATABASE_URL);
});

it.each([
  ["type", { type: "mysql" }],
  ["type", {}],
  ["size", { type: "postgres", size: "huge" }],
  ["name", { type: "postgres", name: "9 lives" }],
  ["sise", { type: "postgres", sise: "small" }],
])("refuses a wrong %s with 422 and makes nothing", async (field, body) => {
  const answer = await add(body);
  expect(answer.status).toBe(422);
  expect(answer.body.errors).toHaveProperty(field);
  expect((await api.call("GET", services)).body.total).toBe(0);
});

it("of an unknown environment is 404", async () => {
  expect((await add({ type: "postgres", environment: "moon" })).status).toBe(404);
});

it("lists, gets and deletes what a project has", async () => {
  const { data } = (await add({ type: "postgres", environment: "staging" })).body;
  expect((await api.call("GET", services)).body).toMatchObject({ total: 1 });
  expect((await api.call("GET", `${services}/${data.id}`)).body.data.environment).toBe("staging");
  const deleted = await api.call("DELETE", `${services}/${data.id}?grace_seconds=0`);
  expect(deleted.status).toBe(204);
  expect((await api.call("GET", `${services}/${data.id}`)).status).toBe(404);
});

it("is 404 through another project and for a stranger, 400 for an id of no UUID", async () => {
  const { data } = (await add({ type: "postgres" })).body;
  const other = await api.call("POST", "/api/v1/projects", { body: { name: "Other" } });
  const path = `/api/v1/projects/${other.body.data.id}/data-services/${data.id}`;
  expect((await api.call("GET", path)).status).toBe(404);
  expect((await api.call("DELETE", path)).status).toBe(404);
  const key = await api.addStranger();
  expect((await api.call("GET", services, { key })).status).toBe(404);
  expect((await add({ type: "postgres" }, { key })).status).toBe(404);
  expect((await api.call("GET", `${services}/seven`)).status).toBe(400);
});

it("needs the scope of databases", async () => {
  expect((await add({ type: "postgres" }, { key: null })).status).toBe(401);
  const key = await api.addKey(["projects:write"]);
  expect((await add({ type: "postgres" }, { key })).status).toBe(403);
});
