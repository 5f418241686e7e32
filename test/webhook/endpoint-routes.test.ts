import { eq } from "drizzle-orm";
import { beforeEach, expect, it } from "vitest";
import { webhook } from "../../src/webhook/table.ts";
import { createTestApi, type TestApi } from "../support/api.ts";

const url = "https://hooks.example.com/miosa";
let api: TestApi;
beforeEach(async () => {
  api = await createTestApi();
  api.internet.put("hooks.example.com");
});

const create = (body: Record<string, unknown> = {}, key?: string) =>
  api.call("POST", "/api/v1/webhooks", { body: { url, ...body }, ...(key ? { key } : {}) });
const at = (id: string) => `/api/v1/webhooks/${id}`;

it("a webhook is created, read, listed, changed and deleted", async () => {
  const fields = {
    name: "CI",
    description: "Tells the pipeline",
    events: ["database.*", "project.created", "database.*"],
    headers: { "X-Token": "t0p" },
    metadata: { team: "a" },
  };
  const created = await create(fields);
  expect(created.status).toBe(201);
  const { secret, ...shown } = created.body.data;
  expect(shown).toMatchObject({
    ...fields,
    url,
    events: ["database.*", "project.created"],
    state: "active",
    active: true,
    enabled: true,
    retry_count: 3,
    failure_count: 0,
    workspace_id: null,
    last_triggered_at: null,
    secret_preview: `whsec_…${secret.slice(-4)}`,
  });
  expect((await api.call("GET", at(shown.id))).body.data).toEqual(shown);
  expect((await api.call("GET", "/api/v1/webhooks")).body).toMatchObject({
    data: [shown],
    total: 1,
  });
  const changed = await api.call("PATCH", at(shown.id), {
    body: { name: null, events: [], retry_count: 10, url: `${url}/2` },
  });
  expect(changed.body.data).toMatchObject({
    name: null,
    events: [],
    retry_count: 10,
    url: `${url}/2`,
    description: "Tells the pipeline",
    headers: { "X-Token": "t0p" },
  });
  expect((await api.call("DELETE", at(shown.id))).status).toBe(204);
  expect((await api.call("GET", at(shown.id))).status).toBe(404);
});

it("a secret is shown once, and kept sealed like the headers", async () => {
  const { id, secret } = (await create({ headers: { authorization: "Bearer t0p" } })).body.data;
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  expect((await api.call("GET", at(id))).body.data).not.toHaveProperty("secret");
  const [row] = await api.context.db.select().from(webhook).where(eq(webhook.id, id));
  expect(JSON.stringify(row)).not.toMatch(new RegExp(`t0p|${secret.slice(6, 20)}`));
  expect(row?.secretSealed).toMatch(/^s1\.k1\./);
});

it("a caller's own secret of any form is taken from 16 characters on", async () => {
  expect((await create({ secret: "0123456789abcdef" })).body.data).toMatchObject({
    secret: "0123456789abcdef",
    secret_preview: "…cdef",
  });
  expect((await create({ secret: "0123456789abcde" })).body.errors).toEqual({
    secret: ["must have at least 16 characters"],
  });
});

it("a rotated secret is shown once, and the former one has its end", async () => {
  const { id, secret } = (await create()).body.data;
  const path = `${at(id)}/rotate-secret`;
  const { data } = (await api.call("POST", path, { body: { overlap_seconds: 60 } })).body;
  expect(data.secret).not.toBe(secret);
  const end = new Date(api.clock.now().getTime() + 60_000).toISOString();
  expect(data.former_secret_expires_at).toBe(end);
  const again = await api.call("POST", path, { body: { overlap_seconds: 0 } });
  expect(again.body.data.former_secret_expires_at).toBeNull();
  const byDefault = (await api.call("POST", path)).body.data;
  expect(Date.parse(byDefault.former_secret_expires_at) - api.clock.now().getTime()).toBe(
    86_400_000,
  );
});

it.each([
  [{ active: false }, "inactive"],
  [{ enabled: false }, "inactive"],
  [{ state: "inactive" }, "inactive"],
  [{ active: true, enabled: true, state: "active" }, "active"],
])("with %j it is %s", async (flags, state) => {
  expect((await create(flags)).body.data).toMatchObject({ state, active: state === "active" });
  const { id } = (await create()).body.data;
  expect((await api.call("PATCH", at(id), { body: flags })).body.data.state).toBe(state);
});

it("pauses and resumes, and begins anew without former failures", async () => {
  const { id } = (await create()).body.data;
  expect((await api.call("POST", `${at(id)}/pause`)).body.data.state).toBe("inactive");
  await api.context.db
    .update(webhook)
    .set({ state: "failed", failureCount: 40, failingSince: api.clock.now() });
  const { data } = (await api.call("POST", `${at(id)}/resume`)).body;
  expect(data).toMatchObject({ state: "active", failure_count: 0, failing_since: null });
  expect(api.woken).toContain(`webhook:${id}`);
});

it.each([
  [{ url: "http://hooks.example.com" }, "url"],
  [{ url: "https://10.0.0.1/" }, "url"],
  [{ url: 7 }, "url"],
  [{ events: ["database.exploded"] }, "events.0"],
  [{ events: ["databases.*"] }, "events.0"],
  [{ events: "database.*" }, "events"],
  [{ retry_count: 11 }, "retry_count"],
  [{ retry_count: -1 }, "retry_count"],
  [{ retry_count: 1.5 }, "retry_count"],
  [{ headers: { Host: "x" } }, "headers.Host"],
  [{ headers: { "Content-Type": "x" } }, "headers.Content-Type"],
  [{ headers: { "Transfer-Encoding": "chunked" } }, "headers.Transfer-Encoding"],
  [{ headers: { "X-Miosa-Signature": "x" } }, "headers.X-Miosa-Signature"],
  [{ headers: { "webhook-id": "x" } }, "headers.webhook-id"],
  [{ headers: { "X-A": "a\r\nHost: b" } }, "headers.X-A"],
  [{ headers: { "X A": "a" } }, "headers.X A"],
  [{ headers: { "X-A": "1", "x-a": "2" } }, "headers"],
  [{ active: true, enabled: false }, "state"],
  [{ state: "failed" }, "state"],
])("%j is 422 and names the field", async (fields, field) => {
  const { status, body } = await create(fields);
  expect([status, Object.keys(body.errors)]).toEqual([422, [field]]);
});

it("a name without a public address is refused; a silent resolver is retryable", async () => {
  for (const host of ["rebound.example.com", "half.example.com"]) {
    api.internet.name(host, "8.8.8.8", host.startsWith("half") ? "::1" : "127.0.0.1");
    const { status, body } = await create({ url: `https://${host}/` });
    expect([status, body.errors.url[0]]).toEqual([422, expect.stringContaining("public")]);
  }
  const unknown = await create({ url: "https://nowhere.example.com/" });
  expect([unknown.status, unknown.body.error.retryable]).toEqual([422, undefined]);
  api.internet.resolver(false);
  const silent = await create();
  expect([silent.status, silent.body.error.retryable]).toEqual([422, true]);
  expect(silent.headers.get("retry-after")).toBe("30");
});

it("a receiver on this machine needs the development setting", async () => {
  const local = { url: "http://127.0.0.1:9000/hooks" };
  expect((await create(local)).status).toBe(422);
  api.internet.openLoopback(8787);
  expect((await create(local)).status).toBe(201);
  expect((await create({ url: "http://127.0.0.1:8787/" })).status).toBe(422);
});

it("the catalog names every event and how deliveries are signed", async () => {
  const { body } = await api.call("GET", "/api/v1/webhooks/events");
  expect(body.data.database).toContain("database.running");
  expect(body.events).toContain("project.created");
  expect(body.workspace_scoped_categories).toContain("database");
  expect(body.signing.header).toBe("x-miosa-signature");
});

it("one of a workspace is made and seen by that workspace's key alone", async () => {
  const { id: workspace } = (
    await api.call("POST", "/api/v1/workspaces", { body: { name: "Dental" } })
  ).body.data;
  const bound = await api.addKey(["*"], workspace);
  const { data } = (await create({}, bound)).body;
  expect(data.workspace_id).toBe(workspace);
  const { id: ofAll } = (await create()).body.data;
  expect((await api.call("GET", at(ofAll), { key: bound })).status).toBe(404);
  expect((await api.call("GET", at(data.id), { key: bound })).status).toBe(200);
  const refused = await create({ workspace_id: workspace, events: ["webhook.*"] });
  expect([refused.status, refused.body.error.code]).toEqual([422, "EVENTS_NOT_WORKSPACE_SCOPABLE"]);
  expect((await create({ workspace_id: crypto.randomUUID() })).status).toBe(404);
});

it("webhooks are nobody else's, and need their scope", async () => {
  const { id } = (await create()).body.data;
  const stranger = await api.addStranger();
  for (const [method, path] of [
    ["GET", at(id)],
    ["PATCH", at(id)],
    ["DELETE", at(id)],
    ["POST", `${at(id)}/pause`],
    ["POST", `${at(id)}/rotate-secret`],
  ] as const) {
    const body = method === "PATCH" ? { body: {} } : {};
    expect((await api.call(method, path, { key: stranger, ...body })).status).toBe(404);
  }
  const reader = await api.addKey(["webhooks:read"]);
  expect((await api.call("GET", at(id), { key: reader })).status).toBe(200);
  expect((await api.call("DELETE", at(id), { key: reader })).status).toBe(403);
});
