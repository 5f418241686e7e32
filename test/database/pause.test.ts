import { asc } from "drizzle-orm";
import { beforeEach, describe, expect, it } from "vitest";
import { event } from "../../src/webhook/table.ts";
import { createTestApi, type TestApi } from "../support/api.ts";

let api: TestApi;
let path: string;
let name: string;
beforeEach(async () => {
  api = await createTestApi();
  const body = { name: "Smile Dental", data: { postgres: true } };
  const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
  path = `/api/v1/databases/${data.databases[0].id}`;
  name = data.databases[0].database;
});

const verbs = ["stop", "start", "restart"] as const;
const post = (verb: string, call = {}) => api.call("POST", `${path}/${verb}`, call);
const operations = async () => (await api.call("GET", "/api/v1/operations")).body.total;
const lastEvent = async () => {
  const rows = await api.context.db.select().from(event).orderBy(asc(event.seq));
  const { type, operationId } = rows.at(-1) ?? {};
  return { type, operation_id: operationId };
};

describe("POST stop", () => {
  it("answers with the stopped database, which its host holds, and tells of it", async () => {
    const { status, body } = await post("stop");
    expect(status).toBe(200);
    expect(body.data).toMatchObject({ state: "stopped", proxy_status: "pending" });
    expect(api.host.inState("stopped")).toEqual([name]);
    const { operation_id } = body.data;
    expect(await lastEvent()).toEqual({ type: "database.paused", operation_id });
  });

  it("of a stopped one is 200 and begins nothing", async () => {
    await post("stop");
    const before = await operations();
    const { status, body } = await post("stop", { body: {} });
    expect([status, body.data.state, body.data.operation_id]).toEqual([200, "stopped", undefined]);
    expect(await operations()).toBe(before);
  });

  it("that takes longer is 202, and `stopping` until it is done", async () => {
    api.host.failAt(1, "before");
    const { status, body } = await post("stop");
    expect([status, body.data.state]).toEqual([202, "stopping"]);
    expect(body.data.operation_id).toMatch(/^[\da-f-]{36}$/);
    const other = await post("restart");
    expect(other.status).toBe(409);
    expect(other.body.error.details.operation_id).toBe(body.data.operation_id);
  });
});

describe("a stopped database", () => {
  beforeEach(async () => {
    await post("stop");
  });

  it("is started, and answers through the pooler before the API says so", async () => {
    const { status, body } = await post("start");
    expect([status, body.data.state]).toEqual([200, "running"]);
    const { operation_id } = body.data;
    expect(await lastEvent()).toEqual({ type: "database.resumed", operation_id });
    expect(api.host.calls.at(-1)?.name).toBe("database.probe");
    expect(api.host.inState("running")).toEqual([name]);
  });

  it("is not restarted: 409 says what to do", async () => {
    const { status, body } = await post("restart");
    expect([status, body.error.code]).toEqual([409, "INVALID_STATE"]);
    expect(body.error.message).toMatch(/is stopped\. .* Start it instead\.$/);
    expect(body.error.details).toMatchObject({
      state: "stopped",
      allowed_states: ["running", "suspended"],
    });
  });

  it("is resized and given credentials, and stays stopped", async () => {
    const resized = await api.call("PATCH", path, { body: { size: "large" } });
    expect(resized.body.data).toMatchObject({ size: "large", state: "stopped" });
    const rotated = await post("credentials/rotate", { body: {} });
    expect(rotated.status).toBe(200);
    const known = await api.call("GET", `${path}/credentials`);
    expect(known.body.data.url).toBe(rotated.body.data.url);
    expect(api.host.inState("stopped")).toEqual([name]);
  });
});

describe("a running database", () => {
  it("is restarted", async () => {
    const { status, body } = await post("restart");
    expect([status, body.data.state]).toEqual([200, "running"]);
    const { operation_id } = body.data;
    expect(await lastEvent()).toEqual({ type: "database.restarted", operation_id });
    const names = api.host.calls.slice(-2).map((call) => call.name);
    expect(names).toEqual(["database.restart", "database.probe"]);
  });

  it("is not started: 200 and begins nothing", async () => {
    const before = await operations();
    const { status, body } = await post("start");
    expect([status, body.data.state]).toEqual([200, "running"]);
    expect(await operations()).toBe(before);
  });
});

describe("every verb", () => {
  it.each(verbs)("%s needs the scope, and is 404 for a stranger", async (verb) => {
    const key = await api.addKey(["databases:read"]);
    expect((await post(verb, { key })).status).toBe(403);
    expect((await post(verb, { key: await api.addStranger() })).status).toBe(404);
    expect((await post(verb, { key: null })).status).toBe(401);
  });

  it.each(verbs)("%s of a deleted one is 409, of a purged one 404", async (verb) => {
    await api.call("DELETE", path);
    const { status, body } = await post(verb);
    expect([status, body.error.details.state]).toEqual([409, "deleted"]);
    await api.call("DELETE", `${path}?grace_seconds=0`);
    expect((await post(verb)).status).toBe(404);
  });

  it.each(verbs)("%s of an id that is none is 400 or 404", async (verb) => {
    const at = (id: string) => api.call("POST", `/api/v1/databases/${id}/${verb}`);
    expect((await at("nobody")).status).toBe(400);
    expect((await at("019a0000-0000-7000-8000-000000000000")).status).toBe(404);
  });
});
