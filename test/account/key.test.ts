import { beforeEach, expect, it } from "vitest";
import { knownScopes } from "../../src/core/scope.ts";
import { createTestApi, type TestApi } from "../support/api.ts";

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi();
});

const keys = "/api/v1/api-keys";
const projects = "/api/v1/projects";
const create = (body: object, call = {}) => api.call("POST", keys, { body, ...call });
const statusWith = async (key: string, path = projects) =>
  (await api.call("GET", path, { key })).status;

async function made(body: object, call = {}) {
  const answer = await create({ name: "K", ...body }, call);
  expect(answer.status).toBe(201);
  return answer.body.data as { id: string; key: string; scopes: string[]; expires_at: string };
}

it("shows a new key once, in both spellings, and what it may do", async () => {
  const { status, body } = await create({ name: "Sync", purpose: "nightly" });
  expect(status).toBe(201);
  const { id, key, token, key_prefix } = body.data;
  expect(key).toMatch(/^msk_u_[\w-]{43}$/);
  expect([token, key_prefix]).toEqual([key, key.slice(0, 12)]);
  expect(body.data).toMatchObject({
    name: "Sync",
    purpose: "nightly",
    key_purpose: "nightly",
    key_type: "user",
    rate_limit_rpm: 600,
    status: "active",
    workspace_id: null,
    allowed_ips: [],
  });
  const got = await api.call("GET", `${keys}/${id}`);
  expect(got.body.data.key).toBeUndefined();
  expect(JSON.stringify((await api.call("GET", keys)).body)).not.toContain(key);
  expect(await statusWith(key)).toBe(200);
});

it("gives a key that names no scopes only what shows no secret", async () => {
  const { key, scopes } = await made({});
  expect(scopes).toEqual(["projects:read", "databases:read", "events:read"]);
  const { body } = await api.call("POST", projects, {
    body: { name: "P", data: { postgres: true } },
  });
  const [{ id }] = body.data.databases;
  expect(await statusWith(key, `/api/v1/databases/${id}`)).toBe(200);
  expect(await statusWith(key, `/api/v1/databases/${id}/credentials`)).toBe(403);
  expect((await api.call("POST", projects, { body: { name: "Q" }, key })).status).toBe(403);
});

it("takes every scope of either vocabulary, and lists them for an unknown one", async () => {
  await made({ scopes: knownScopes });
  const data = await made({ scopes: ["data:read"] });
  expect(await statusWith(data.key, "/api/v1/databases")).toBe(200);
  const { status, body } = await create({ name: "K", scopes: ["databases:reed"] });
  expect(status).toBe(422);
  expect(body.errors.scopes[0]).toContain("databases:reed");
  expect(body.errors.scopes[0]).toContain("sandboxes:exec");
});

it.each([
  ["scopes", { scopes: ["webhooks:read"] }, "insufficient_scope"],
  ["all scopes", { scopes: ["*"] }, "insufficient_scope"],
  ["an admin key", { key_type: "admin", scopes: [] }, "FORBIDDEN"],
  ["other addresses", { allowed_ips: ["192.0.2.0/23"] }, "FORBIDDEN"],
  ["any address", { allowed_ips: [] }, "FORBIDDEN"],
  ["a later end", { expires_in_days: 30 }, "FORBIDDEN"],
  ["a higher rate", { rate_limit_rpm: 101 }, "FORBIDDEN"],
])("lets no key give %s that it does not have", async (_, body, code) => {
  const giver = await made({
    scopes: ["api_keys:write", "databases:write"],
    allowed_ips: ["192.0.2.0/24"],
    expires_in_days: 7,
    rate_limit_rpm: 100,
  });
  const call = { key: giver.key, headers: { "cf-connecting-ip": "192.0.2.9" } };
  const refused = await create({ name: "K", ...body }, call);
  expect([refused.status, refused.body.error.code]).toEqual([403, code]);
  const child = await made({ scopes: ["data:read"], allowed_ips: ["192.0.2.7"] }, call);
  expect(child.expires_at).toBe(giver.expires_at);
});

it("changes, rotates and revokes no key that can do more than the one that calls", async () => {
  const strong = await made({ scopes: ["*"] });
  const { key } = await made({ scopes: ["api_keys:write", "databases:read"] });
  for (const [method, path] of [
    ["PATCH", ""],
    ["POST", "/rotate"],
    ["DELETE", ""],
  ] as const) {
    const body = method === "PATCH" ? { name: "Mine" } : {};
    const answer = await api.call(method, `${keys}/${strong.id}${path}`, { key, body });
    expect([method, answer.status]).toEqual([method, 403]);
  }
  expect(await statusWith(strong.key)).toBe(200);
});

it("binds the keys of a bound key to its workspace, and shows it no others", async () => {
  const workspace = await api.call("POST", "/api/v1/workspaces", { body: { name: "A" } });
  const workspace_id = workspace.body.data.id;
  const other = await made({});
  const bound = await made({ workspace_id, scopes: ["api_keys:write", "projects:read"] });
  const child = await create({ name: "C", scopes: [] }, { key: bound.key });
  expect(child.body.data.workspace_id).toBe(workspace_id);
  expect(await statusWith(bound.key, `${keys}/${other.id}`)).toBe(404);
  expect((await api.call("GET", keys, { key: bound.key })).body.total).toBe(2);
  const [{ id: elsewhere }] = (await api.call("GET", "/api/v1/workspaces")).body.data.slice(-1);
  const refused = await create({ name: "D", workspace_id: elsewhere }, { key: bound.key });
  expect(refused.status).toBe(404);
});

it("revokes a key at once, and the one that calls only when that is meant", async () => {
  const { id, key } = await made({ scopes: ["api_keys:write", "projects:read"] });
  const refused = await api.call("DELETE", `${keys}/${id}`, { key });
  expect([refused.status, refused.body.error.code]).toEqual([409, "OWN_KEY"]);
  expect((await api.call("DELETE", `${keys}/${id}?own=true`, { key })).status).toBe(204);
  expect(await statusWith(key)).toBe(401);
  expect((await api.call("GET", `${keys}?status=revoked`)).body.data[0].id).toBe(id);
  expect((await api.call("GET", keys)).body.total).toBe(1);
});

it("revokes the keys that were made with it when that is meant, and no others", async () => {
  const scopes = ["api_keys:write", "projects:read"];
  const parent = await made({ scopes });
  const child = (await create({ name: "C", scopes }, { key: parent.key })).body.data;
  const grandchild = (await create({ name: "G", scopes: [] }, { key: child.key })).body.data;
  const other = await made({ scopes });
  const rotated = await api.call("POST", `${keys}/${child.id}/rotate`, {
    body: { overlap_seconds: 3600 },
  });
  const alone = await made({ scopes });
  const orphan = (await create({ name: "O", scopes: ["projects:read"] }, { key: alone.key })).body
    .data;
  await api.call("DELETE", `${keys}/${alone.id}`);
  expect(await statusWith(orphan.key)).toBe(200);
  expect((await api.call("DELETE", `${keys}/${parent.id}?descendants=true`)).status).toBe(204);
  for (const key of [parent.key, child.key, rotated.body.data.key, grandchild.key]) {
    expect(await statusWith(key)).toBe(401);
  }
  expect(await statusWith(other.key)).toBe(200);
});

it("never takes the installation's own key away, and follows its setting", async () => {
  const [own] = (await api.call("GET", keys)).body.data;
  for (const [method, path, body] of [
    ["PATCH", "", { scopes: [] }],
    ["POST", "/rotate", {}],
    ["DELETE", "?own=true", undefined],
  ] as const) {
    const answer = await api.call(method, `${keys}/${own.id}${path}`, { body });
    expect([answer.status, answer.body.error.code]).toEqual([409, "INSTALLATION_KEY"]);
  }
  const adminKey = "msk_a_another_0123456789";
  expect((await api.call("GET", projects, { key: adminKey, adminKey })).status).toBe(200);
  expect((await api.call("GET", projects, { adminKey })).status).toBe(401);
});

it("lets a rotated key work on for its overlap, and no longer", async () => {
  const { id, key } = await made({});
  const path = `${keys}/${id}/rotate`;
  const rotated = await api.call("POST", path, { body: { overlap_seconds: 60 } });
  expect(rotated.status).toBe(200);
  const again = (await api.call("POST", path, { body: { overlap_seconds: 600 } })).body.data.key;
  const second = rotated.body.data.key;
  const statuses = async () => [await statusWith(key), await statusWith(second)];
  expect(await statuses()).toEqual([200, 200]);
  api.clock.advance(61);
  expect(await statuses()).toEqual([401, 200]);
  const last = (await api.call("POST", path, { body: { overlap_seconds: 0 } })).body.data.key;
  expect(await statuses()).toEqual([401, 401]);
  expect([await statusWith(again), await statusWith(last)]).toEqual([401, 200]);
});

it("ends a key when its time has come", async () => {
  const { id, key } = await made({ expires_in_days: 1 });
  expect(await statusWith(key)).toBe(200);
  api.clock.advance(86_400);
  expect(await statusWith(key)).toBe(401);
  expect((await api.call("GET", `${keys}/${id}`)).body.data.status).toBe("expired");
  expect((await create({ name: "K", expires_at: "2020-01-01T00:00:00Z" })).status).toBe(422);
});

it("takes a key only from the addresses it is allowed from", async () => {
  const { key } = await made({ allowed_ips: ["192.0.2.0/24", "2001:db8::/32"] });
  const from = async (address: string | null) => {
    const headers = address === null ? {} : { "cf-connecting-ip": address };
    return (await api.call("GET", projects, { key, headers })).status;
  };
  for (const address of ["192.0.2.200", "::ffff:192.0.2.1", "2001:db8::7"]) {
    expect([address, await from(address)]).toEqual([address, 200]);
  }
  for (const address of ["192.0.3.1", "2001:db9::1", "192.0.2.1, 10.0.0.1", null]) {
    expect([address, await from(address)]).toEqual([address, 403]);
  }
});

it("believes no header where the installation says where callers are", async () => {
  const { key } = await made({ allowed_ips: ["192.0.2.1"] });
  const headers = { "cf-connecting-ip": "192.0.2.1" };
  const bindings = { MIOSA_CLIENT_ADDRESS: "127.0.0.1" };
  expect((await api.call("GET", projects, { key, headers, bindings })).status).toBe(403);
});

it("notes when a key was last used, once a minute", async () => {
  const { id, key } = await made({});
  const used = async () => {
    await statusWith(key);
    await api.settled();
    return (await api.call("GET", `${keys}/${id}`)).body.data.last_used_at;
  };
  const first = await used();
  expect(first).toMatch(/Z$/);
  api.clock.advance(30);
  expect(await used()).toBe(first);
  api.clock.advance(31);
  expect(await used()).not.toBe(first);
});

it("replays the key to whoever repeats the request that made it", async () => {
  const headers = { "idempotency-key": "once" };
  const first = await create({ name: "K" }, { headers });
  const second = await create({ name: "K" }, { headers });
  expect(second.body).toEqual(first.body);
});

it("changes a key, and counts that from the next request on", async () => {
  const { id, key } = await made({});
  const body = { scopes: ["webhooks:read"], name: "New", rate_limit_rpm: 5, purpose: null };
  const { status, body: answer } = await api.call("PATCH", `${keys}/${id}`, { body });
  expect([status, answer.data.name]).toEqual([200, "New"]);
  expect(await statusWith(key)).toBe(403);
  const used = await api.call("GET", "/api/v1/webhooks", { key });
  expect([used.status, used.headers.get("ratelimit-limit")]).toEqual([200, "5"]);
});

it("offers presets that a key can be made of", async () => {
  const { body } = await api.call("GET", `${keys}/presets`);
  for (const { scopes } of body.data) expect((await made({ scopes })).scopes).toEqual(scopes);
});

it("shows an organization's keys to no stranger", async () => {
  const { id } = await made({});
  const key = await api.addStranger();
  for (const [method, path] of [
    ["GET", ""],
    ["PATCH", ""],
    ["POST", "/rotate"],
    ["DELETE", ""],
  ] as const) {
    const body = method === "GET" ? undefined : {};
    const answer = await api.call(method, `${keys}/${id}${path}`, { key, body });
    expect(answer.status).toBe(404);
  }
});
