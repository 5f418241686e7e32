import { beforeEach, describe, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../support/api.ts";

let api: TestApi;
let environments: string;
beforeEach(async () => {
  api = await createTestApi();
  environments = await environmentsOf({ name: "Smile Dental", data: { postgres: true } });
});

async function environmentsOf(body: object): Promise<string> {
  const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
  return `/api/v1/projects/${data.id}/environments`;
}

const bootEnv = (name: string, call = {}) =>
  api.call("GET", `${environments}/${name}/boot-env`, call);

it("every project has production, staging and development", async () => {
  const { body } = await api.call("GET", environments);
  const names = body.data.map((each: { name: string }) => each.name);
  expect(names).toEqual(["production", "staging", "development"]);
});

describe("boot-env", () => {
  it("of production is complete at once, and never cached", async () => {
    const { status, body, headers } = await bootEnv("production");
    expect(status).toBe(200);
    expect(body.data.environment).toBe("production");
    expect(body.data.env.DATABASE_URL).toContain(":6432/proj_");
    expect(body.data.env.DATABASE_URL_SESSION).toContain(":6433/proj_");
    expect(body.data.env.DIRECT_URL).toBe(body.data.env.DATABASE_URL_SESSION);
    expect(headers.get("cache-control")).toBe("no-store");
  });

  it("of another environment makes its own database at the first call, and only then", async () => {
    expect(api.host.databases.size).toBe(1);
    const staging = await bootEnv("staging");
    expect(staging.status).toBe(200);
    const production = await bootEnv("production");
    expect(staging.body.data.env.DATABASE_URL).not.toBe(production.body.data.env.DATABASE_URL);
    expect((await bootEnv("staging")).body).toEqual(staging.body);
    expect(api.host.databases.size).toBe(2);
  });

  it("asked for by several at once makes one database, and all get the same", async () => {
    const answers = await Promise.all([1, 2, 3, 4].map(() => bootEnv("staging")));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(new Set(answers.map(({ body }) => body.data.env.DATABASE_URL)).size).toBe(1);
    expect(api.host.databases.size).toBe(2);
  });

  it("answers 202 with the operation while the database is being made", async () => {
    api.host.failAt(1, "before");
    const { status, body, headers } = await bootEnv("staging");
    expect(status).toBe(202);
    expect(body.data).toMatchObject({ environment: "staging", state: "provisioning" });
    expect(headers.get("retry-after")).toBe("1");
    const operation = await api.call("GET", `/api/v1/operations/${body.data.operation_id}`);
    expect(operation.body.data).toMatchObject({
      kind: "database.provision",
      status: "running",
      current_step: "create",
      steps_done: 0,
      steps_total: 2,
      error: { code: "STEP_FAILED" },
    });
    api.clock.advance(1);
    expect((await bootEnv("staging")).status).toBe(200);
  });

  it("of a project without Postgres is an env without it, and makes nothing", async () => {
    environments = await environmentsOf({ name: "Plain" });
    const { status, body } = await bootEnv("staging");
    expect([status, body.data.env]).toEqual([200, {}]);
    expect(api.host.databases.size).toBe(1);
  });

  it("of an unknown environment is 404, and for a stranger too", async () => {
    expect((await bootEnv("moon")).status).toBe(404);
    expect((await bootEnv("production", { key: await api.addStranger() })).status).toBe(404);
  });

  it("needs the write scope of databases", async () => {
    expect((await bootEnv("production", { key: null })).status).toBe(401);
    const key = await api.addKey(["databases:read", "projects:read"]);
    expect((await bootEnv("production", { key })).status).toBe(403);
  });
});
