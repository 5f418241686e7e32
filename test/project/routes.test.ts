import { beforeEach, describe, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../support/api.ts";

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi();
});

const projects = "/api/v1/projects";
const create = (body: object, call = {}) => api.call("POST", projects, { body, ...call });

describe("POST /projects", () => {
  it("with data.postgres answers a running database and its URLs", async () => {
    const { status, body, headers } = await create({
      name: "Smile Dental",
      data: { postgres: true },
    });
    expect(status).toBe(201);
    const [database] = body.data.databases;
    expect(database).toMatchObject({
      state: "running",
      status: "running",
      size: "small",
      environment: "production",
      project_id: body.data.id,
      is_primary: true,
    });
    expect(database.database_url).toMatch(
      /^postgresql:\/\/\w+:[\w-]+@127\.0\.0\.1:6432\/proj_\w+$/,
    );
    expect(database.database_url_session).toContain(":6433/");
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("x-request-id")).toMatch(/^[\w-]{1,64}$/);
  });

  it("takes a size", async () => {
    const { body } = await create({ name: "Big", data: { postgres: { size: "medium" } } });
    expect(body.data.databases[0]).toMatchObject({ size: "medium", storage_mb: 10_240 });
  });

  it("without data makes a project without a database, in the default workspace", async () => {
    const { status, body } = await create({ name: "Plain" });
    expect(status).toBe(201);
    expect(body.data.databases).toEqual([]);
    const { body: workspaces } = await api.call("GET", "/api/v1/workspaces");
    const home = workspaces.data.find((each: { is_default: boolean }) => each.is_default);
    expect(body.data.workspace_id).toBe(home.id);
  });

  it("creates the workspace of an unknown external id once, and keeps attribution", async () => {
    const given = {
      external_workspace_id: "clinic-7",
      external_user_id: "user-9",
      external_project_id: "app-3",
      metadata: { plan: "gold" },
    };
    const first = await create({ name: "One", ...given, data: { postgres: true } });
    const second = await create({ name: "Two", ...given });
    expect(first.body.data).toMatchObject(given);
    expect(first.body.data.databases[0]).toMatchObject(given);
    expect(second.body.data.workspace_id).toBe(first.body.data.workspace_id);
  });

  it("names nothing of the customer on the host", async () => {
    await create({ name: "Smile Dental", data: { postgres: true } });
    const names = JSON.stringify([...api.host.databases]);
    expect(names).not.toMatch(/smile|dental/i);
  });

  const wrong: [string, object, string][] = [
    ["an empty name", { name: "  " }, "name"],
    ["no name", {}, "name"],
    ["a name of the wrong type", { name: 7 }, "name"],
    ["a name that is too long", { name: "x".repeat(201) }, "name"],
    ["a name with a control character", { name: "a\u0000b" }, "name"],
    ["a name with half a character", { name: "a\ud800" }, "name"],
    ["a name nobody can see", { name: "\u200b\u2060" }, "name"],
    ["a name with a line separator", { name: "a\u2028b" }, "name"],
    ["an unknown size", { name: "A", data: { postgres: { size: "huge" } } }, "data.postgres"],
    ["an unknown service", { name: "A", data: { redis: true } }, "data"],
    ["metadata that is no object", { name: "A", metadata: "x" }, "metadata"],
    ["a workspace id that is no UUID", { name: "A", workspace_id: "1" }, "workspace_id"],
  ];
  it.each(wrong)(
    "refuses %s with 422 naming the field, and changes nothing",
    async (_, body, field) => {
      const answer = await create(body);
      expect(answer.status).toBe(422);
      expect(answer.body.error.code).toBe("VALIDATION_ERROR");
      expect(Object.keys(answer.body.errors)).toContainEqual(expect.stringContaining(field));
      const { body: list } = await api.call("GET", projects);
      expect(list.total).toBe(0);
    },
  );

  it("takes null for a field that may be left out", async () => {
    const body = { name: "A", external_user_id: null, workspace_id: null, data: null };
    expect((await create(body)).status).toBe(201);
  });

  it("names the workspace it makes as asked", async () => {
    const body = { name: "A", external_workspace_id: "clinic-7", workspace_name: "Clinic" };
    const { body: made } = await create(body);
    const path = `/api/v1/workspaces/${made.data.workspace_id}`;
    const { body: found } = await api.call("GET", path);
    expect(found.data).toMatchObject({ name: "Clinic", external_workspace_id: "clinic-7" });
  });

  it("keeps SQL in a name as the text it is", async () => {
    const name = "'; drop table project; --";
    const { body } = await create({ name });
    const { body: found } = await api.call("GET", `${projects}/${body.data.id}`);
    expect(found.data.name).toBe(name);
  });

  it("refuses malformed JSON with 400 and a body over the limit with 413", async () => {
    const malformed = await create({}, { body: '{"name": ' });
    expect([malformed.status, malformed.body.error.code]).toEqual([400, "MALFORMED_JSON"]);
    const large = await create({ name: "x".repeat(2 * 1024 * 1024) });
    expect([large.status, large.body.error.code]).toEqual([413, "BODY_TOO_LARGE"]);
  });

  it("reads JSON that is sent under another content type", async () => {
    const headers = { "content-type": "text/plain" };
    expect((await create({ name: "A" }, { headers })).status).toBe(201);
  });

  it("refuses a workspace of somebody else with 404", async () => {
    const stranger = await api.addStranger();
    const { body } = await api.call("GET", "/api/v1/workspaces", { key: stranger });
    const answer = await create({ name: "A", workspace_id: body.data[0].id });
    expect(answer.status).toBe(404);
  });

  it("is refused without a key, with an unknown key, and without the scope", async () => {
    const body = { name: "A", data: { postgres: true } };
    expect((await create(body, { key: null })).status).toBe(401);
    expect((await create(body, { key: "msk_u_unknown00000" })).status).toBe(401);
    const reader = await api.addKey(["projects:read"]);
    const answer = await create(body, { key: reader });
    expect([answer.status, answer.body.error.code]).toEqual([403, "insufficient_scope"]);
    const halfway = await api.addKey(["projects:write"]);
    expect((await create(body, { key: halfway })).status).toBe(403);
    const either = await api.addKey(["projects:write", "data:write"]);
    expect((await create(body, { key: either })).status).toBe(201);
  });

  it("stops at the organization's quota", async () => {
    const key = await api.addStranger();
    for (let made = 0; made < 10; made++) await create({ name: `P${made}` }, { key });
    const answer = await create({ name: "One too many" }, { key });
    expect([answer.status, answer.body.error.code]).toEqual([403, "QUOTA_EXCEEDED"]);
  });

  it("says clearly when no host has room", async () => {
    api = await createTestApi({ databasesMax: 1 });
    await create({ name: "First", data: { postgres: true } });
    const answer = await create({ name: "Second", data: { postgres: true } });
    expect([answer.status, answer.body.error.code]).toEqual([503, "NO_CAPACITY"]);
    expect(answer.headers.get("retry-after")).not.toBeNull();
    const { body } = await api.call("GET", projects);
    expect(body.total).toBe(1);
  });

  it("answers provisioning when the host is slow, and finishes by itself", async () => {
    api.host.failAt(1, "before");
    const { status, body } = await create({ name: "Slow", data: { postgres: true } });
    expect(status).toBe(202);
    expect(body.data.databases[0]).toMatchObject({ state: "provisioning", database_url: null });
    expect(body.data.databases[0].operation_id).toBeTypeOf("string");
    api.clock.advance(1);
    await api.context.drive(`project:${body.data.id}`, 2000);
    const { body: later } = await api.call("GET", `${projects}/${body.data.id}`);
    expect(later.data.databases[0].state).toBe("running");
  });
});

describe("an Idempotency-Key", () => {
  const headers = { "idempotency-key": "0f3a" };
  const body = { name: "Once", data: { postgres: true } };

  it("replays the same answer and makes nothing again", async () => {
    const first = await create(body, { headers });
    const again = await create(body, { headers });
    expect(again.status).toBe(201);
    expect(again.body).toEqual(first.body);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect((await api.call("GET", projects)).body.total).toBe(1);
  });

  it("gives racing requests one project and one answer", async () => {
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => create(body, { headers })));
    expect(new Set(answers.map((answer) => answer.body.data.id)).size).toBe(1);
    expect((await api.call("GET", projects)).body.total).toBe(1);
  });

  it("with another body is refused with 422", async () => {
    await create(body, { headers });
    const answer = await create({ name: "Other" }, { headers });
    expect([answer.status, answer.body.error.code]).toEqual([422, "IDEMPOTENCY_KEY_REUSED"]);
  });

  it("is free again after a request that was refused", async () => {
    await create({ name: "" }, { headers });
    expect((await create(body, { headers })).status).toBe(201);
  });

  it("is forgotten after 24 hours", async () => {
    const first = await create(body, { headers });
    api.clock.advance(24 * 3600 + 1);
    const later = await create(body, { headers });
    expect(later.body.data.id).not.toBe(first.body.data.id);
  });

  it("belongs to its organization", async () => {
    await create(body, { headers });
    const answer = await create(body, { headers, key: await api.addStranger() });
    expect(answer.headers.get("idempotency-replayed")).toBeNull();
  });
});

describe("a project", () => {
  let id: string;
  beforeEach(async () => {
    id = (await create({ name: "Smile Dental", data: { postgres: true } })).body.data.id;
  });

  it("is got, listed and changed", async () => {
    const path = `${projects}/${id}`;
    const changed = await api.call("PATCH", path, { body: { name: "New", metadata: { a: 1 } } });
    expect(changed.status).toBe(200);
    expect((await api.call("GET", path)).body.data).toMatchObject({
      name: "New",
      metadata: { a: 1 },
    });
    const { body } = await api.call("GET", `${projects}?limit=1`);
    expect(body).toMatchObject({ total: 1, page: { page: 1, page_size: 1, total: 1 } });
    expect(body.data[0].id).toBe(id);
  });

  it("is nobody else's business: 404, like an unknown one", async () => {
    const stranger = await api.addStranger();
    const unknown = "00000000-0000-4000-8000-000000000000";
    for (const method of ["GET", "PATCH", "DELETE"]) {
      const body = method === "PATCH" ? { body: { name: "Mine" } } : {};
      const foreign = await api.call(method, `${projects}/${id}`, { ...body, key: stranger });
      const missing = await api.call(method, `${projects}/${unknown}`, body);
      expect([foreign.status, foreign.body.error.message]).toEqual([
        missing.status,
        missing.body.error.message,
      ]);
      expect(foreign.status).toBe(404);
    }
  });

  it("is not seen by a key of another workspace", async () => {
    const { body } = await api.call("POST", "/api/v1/workspaces", { body: { name: "Other" } });
    const key = await api.addKey(["*"], body.data.id);
    expect((await api.call("GET", `${projects}/${id}`, { key })).status).toBe(404);
    expect((await api.call("GET", projects, { key })).body.total).toBe(0);
  });

  it("is found by its id in upper case; an id of any UUID version is an id", async () => {
    const { body } = await api.call("GET", `${projects}/${id.toUpperCase()}`);
    expect(body.data.id).toBe(id);
    for (const other of ["00000000-0000-0000-0000-000000000001", id.replace("-7", "-9")]) {
      expect((await api.call("GET", `${projects}/${other}`)).status).toBe(404);
    }
  });

  it("refuses an id that is no UUID with 400 and another method with 405", async () => {
    const bad = await api.call("GET", `${projects}/abc`);
    expect([bad.status, bad.body.error.code]).toEqual([400, "INVALID_ID"]);
    const put = await api.call("PUT", `${projects}/${id}`, { body: {} });
    expect([put.status, put.headers.get("allow")]).toEqual([405, "GET, PATCH, DELETE"]);
  });

  it("without grace is deleted with everything in it", async () => {
    expect((await api.call("DELETE", `${projects}/${id}?grace_seconds=0`)).status).toBe(204);
    expect((await api.call("GET", `${projects}/${id}`)).status).toBe(404);
    expect(api.host.isEmpty()).toBe(true);
    const { body } = await api.call("GET", "/api/v1/databases");
    expect(body.total).toBe(0);
  });

  it("is not deleted while one of its databases is made: 409 names the operation", async () => {
    api.host.failAt(1, "before");
    const added = await api.call("POST", `${projects}/${id}/data-services`, {
      body: { type: "postgres", name: "analytics" },
    });
    const answer = await api.call("DELETE", `${projects}/${id}`);
    expect(answer.status).toBe(409);
    expect(answer.body.error).toMatchObject({
      code: "OPERATION_IN_PROGRESS",
      details: { operation_id: added.body.data.operation_id },
    });
  });
});

it.each(["limit=0", "limit=101", "limit=1e1", "page=-1", "page_size=", "limit=1&limit=2"])(
  "refuses %s with 422 naming what it takes",
  async (query) => {
    const { status, body } = await api.call("GET", `${projects}?${query}`);
    expect(status).toBe(422);
    expect(body.error.message).toMatch(/must be a whole number from 1 to \d+/);
  },
);

it("pages through projects by cursor without gap or repetition", async () => {
  for (let made = 0; made < 5; made++) await create({ name: `P${made}` });
  const seen: string[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const after: string = cursor === "" ? "" : `&cursor=${cursor}`;
    const { body } = await api.call("GET", `${projects}?limit=2${after}`);
    seen.push(...body.data.map((each: { name: string }) => each.name));
    cursor = body.next_cursor;
  }
  expect(seen).toEqual(["P4", "P3", "P2", "P1", "P0"]);
});
