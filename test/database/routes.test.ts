import { eq } from "drizzle-orm";
import { beforeEach, describe, expect, it } from "vitest";
import { databaseStates } from "../../src/database/status.ts";
import { database } from "../../src/database/table.ts";
import { createTestApi, type TestApi } from "../support/api.ts";

let api: TestApi;
let project: { id: string; databases: { id: string; database_url: string }[] };
let id: string;
beforeEach(async () => {
  api = await createTestApi();
  const body = { name: "Smile Dental", external_user_id: "u1", data: { postgres: true } };
  project = (await api.call("POST", "/api/v1/projects", { body })).body.data;
  id = project.databases[0]?.id ?? "";
});

const databases = "/api/v1/databases";

describe("POST /databases", () => {
  const create = (body: object, call = {}) => api.call("POST", databases, { body, ...call });

  it("in an environment without one makes its primary, whatever its name", async () => {
    const body = { name: "app-db", project_id: project.id, environment: "staging" };
    const answer = await create(body);
    expect(answer.status).toBe(201);
    expect(answer.body.data).toMatchObject({
      name: "app-db",
      is_primary: true,
      environment: "staging",
      state: "running",
    });
  });

  it("beside a primary makes a named one; the same name again is 409", async () => {
    const body = { name: "Reports", project_id: project.id };
    expect((await create(body)).body.data).toMatchObject({ name: "reports", is_primary: false });
    const again = await create(body);
    expect([again.status, again.body.error.code]).toEqual([409, "DATABASE_NAME_TAKEN"]);
  });

  it("without a project goes to the default project, made once", async () => {
    const first = await create({ name: "one" });
    const second = await create({ name: "two" });
    expect(second.body.data.project_id).toBe(first.body.data.project_id);
    expect(first.body.data.project_id).not.toBe(project.id);
  });

  it("keeps whose it is, also in the default project, which is nobody's", async () => {
    const first = await create({ name: "one", external_user_id: "u7" });
    expect(first.body.data.external_user_id).toBe("u7");
    const second = await create({ name: "two" });
    expect(second.body.data.external_user_id).toBeNull();
  });

  it("with an environment's id goes to its project", async () => {
    const path = `/api/v1/projects/${project.id}/environments`;
    const environment_id = (await api.call("GET", path)).body.data[1].id;
    const { body } = await create({ name: "one", environment_id });
    expect(body.data).toMatchObject({ project_id: project.id, environment: "staging" });
    const key = await api.addStranger();
    expect((await create({ name: "two", environment_id }, { key })).status).toBe(404);
  });

  it("with an unknown external project makes that project", async () => {
    const body = { name: "one", external_project_id: "app-9", external_workspace_id: "w-9" };
    const { data } = (await create(body)).body;
    expect(data).toMatchObject({ external_project_id: "app-9", external_workspace_id: "w-9" });
    const again = await create({ ...body, name: "two" });
    expect(again.body.data.project_id).toBe(data.project_id);
  });

  it("maps the numbers of older clients to the smallest size that holds them", async () => {
    const sized = await create({ name: "m", engine: "postgresql", storage_mb: 5000 });
    expect(sized.body.data.size).toBe("medium");
    const huge = await create({ name: "h", storage_mb: 1_000_000 });
    expect(huge.status).toBe(422);
  });

  it.each([
    ["engine", { engine: "mysql" }],
    ["name", { name: "a; drop table x" }],
    ["name", { name: "primary" }],
    ["size", { size: "xs" }],
    ["project_id", { project_id: "7" }],
  ])("refuses a wrong %s with 422", async (field, body) => {
    const answer = await create({ project_id: project.id, ...body });
    expect(answer.status).toBe(422);
    expect(answer.body.errors).toHaveProperty(field);
  });

  it("needs the scope of databases", async () => {
    const key = await api.addKey(["databases:read", "projects:write"]);
    expect((await create({ name: "x" }, { key })).status).toBe(403);
    expect((await create({ name: "x" }, { key: null })).status).toBe(401);
  });

  it("in somebody else's project is 404", async () => {
    const key = await api.addStranger();
    expect((await create({ project_id: project.id }, { key })).status).toBe(404);
  });
});

describe("GET /databases", () => {
  it("filters by project, environment, state and attribution", async () => {
    await api.call("POST", databases, { body: { name: "other" } });
    const total = async (query: string) =>
      (await api.call("GET", `${databases}?${query}`)).body.total;
    expect(await total("")).toBe(2);
    expect(await total(`project_id=${project.id}`)).toBe(1);
    expect(await total("environment=staging")).toBe(0);
    expect(await total("state=running")).toBe(2);
    expect(await total("status=failed")).toBe(0);
    expect(await total("external_user_id=u1")).toBe(1);
  });

  it("refuses an unknown state with 422", async () => {
    expect((await api.call("GET", `${databases}?state=sleepy`)).status).toBe(422);
  });

  it("shows nothing of another organization", async () => {
    const key = await api.addStranger();
    expect((await api.call("GET", databases, { key })).body.total).toBe(0);
  });
});

describe("a database", () => {
  it("is got under both names of its state, with where it answers", async () => {
    const { data } = (await api.call("GET", `${databases}/${id}`)).body;
    expect(data).toMatchObject({
      state: "running",
      status: "running",
      engine: "postgresql",
      host: "127.0.0.1",
      port: 6432,
      session_port: 6433,
      connection_test: { status: "ok" },
      project_id: project.id,
      environment: "production",
    });
    expect(JSON.stringify(data)).not.toMatch(/password|sealed|s1\./);
  });

  it("gives its credentials to the write scope alone, and never to a cache", async () => {
    const path = `${databases}/${id}/credentials`;
    const { status, body, headers } = await api.call("GET", path);
    expect(status).toBe(200);
    expect(headers.get("cache-control")).toBe("no-store");
    const { url, user, password, database, port, database_url_session } = body.data;
    expect(url).toBe(project.databases[0]?.database_url);
    expect(url).toBe(`postgresql://${user}:${password}@127.0.0.1:${port}/${database}`);
    expect(database_url_session).toContain(":6433/");
    const reader = await api.addKey(["databases:read"]);
    expect((await api.call("GET", path, { key: reader })).status).toBe(403);
  });

  it.each(databaseStates)("gives its credentials while it is %s", async (state) => {
    await api.context.db.update(database).set({ state }).where(eq(database.id, id));
    const { status, body } = await api.call("GET", `${databases}/${id}/credentials`);
    expect(status).toBe(200);
    expect(body.data.url).toBe(project.databases[0]?.database_url);
  });

  it("without grace is deleted; afterwards it is 404 everywhere", async () => {
    expect((await api.call("DELETE", `${databases}/${id}?grace_seconds=0`)).status).toBe(204);
    expect(api.host.isEmpty()).toBe(true);
    for (const path of [id, `${id}/credentials`]) {
      expect((await api.call("GET", `${databases}/${path}`)).status).toBe(404);
    }
    expect((await api.call("DELETE", `${databases}/${id}`)).status).toBe(404);
  });

  it("frees its environment for another primary once it is deleted", async () => {
    await api.call("DELETE", `${databases}/${id}`);
    const path = `/api/v1/projects/${project.id}/data-services`;
    const answer = await api.call("POST", path, { body: { type: "postgres" } });
    expect(answer.body.data.is_primary).toBe(true);
  });

  it("of somebody else is 404 for every call", async () => {
    const key = await api.addStranger();
    for (const [method, path] of [
      ["GET", id],
      ["GET", `${id}/credentials`],
      ["DELETE", id],
    ] as const) {
      expect((await api.call(method, `${databases}/${path}`, { key })).status).toBe(404);
    }
  });
});
