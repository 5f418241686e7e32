import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { sha256 } from "../../src/account/authenticate.ts";
import { sealEntries } from "../../src/audit/seal.ts";
import { auditEntry } from "../../src/audit/table.ts";
import { resourceIn } from "../../src/audit/trail.ts";
import { createTestApi, type TestApi } from "../support/api.ts";

let api: TestApi;
let id: string;
let projectId: string;
beforeEach(async () => {
  api = await createTestApi();
  const body = { name: "Smile Dental", data: { postgres: true } };
  const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
  projectId = data.id;
  id = data.databases[0].id;
});

const log = (query = "", key?: string) =>
  api.call("GET", `/api/v1/audit-log${query}`, key === undefined ? {} : { key });
const actions = async (query: string) =>
  (await log(query)).body.data.map(({ action }: { action: string }) => action);
const update = (body: object, headers = {}) =>
  api.call("PATCH", `/api/v1/databases/${id}`, { body, headers });

describe("an entry of the audit log", () => {
  it("says who did what to which thing, what it was and what was asked for", async () => {
    const headers = { "cf-connecting-ip": "203.0.113.9", "x-request-id": "req-1" };
    await update({ size: "medium", allowed_addresses: ["10.0.0.0/8"] }, headers);
    const { body } = await log("?limit=1");
    expect(body.data[0]).toEqual({
      id: expect.any(String),
      tenant_id: api.actor.organizationId,
      actor: { type: "api_key", id: api.actor.keyId, key_prefix: "msk_a_own012" },
      actor_id: api.actor.keyId,
      actor_type: "api_key",
      address: "203.0.113.9",
      ip_address: "203.0.113.9",
      outcome: "succeeded",
      action: "databases.update",
      resource_type: "database",
      resource: "database",
      resource_id: id,
      before: { size: "small", allowed_addresses: [] },
      after: { size: "medium", allowed_addresses: ["10.0.0.0/8"] },
      metadata: { size: "medium", allowed_addresses: ["10.0.0.0/8"] },
      request_id: "req-1",
      created_at: api.clock.now().toISOString(),
      inserted_at: api.clock.now().toISOString(),
      previous_hash: null,
      hash: null,
    });
    await sealEntries(api.context, api.actor.organizationId);
    const [linked] = (await log("?limit=1")).body.data;
    expect([linked.previous_hash, linked.hash].join()).toMatch(/^[\da-f]{64},[\da-f]{64}$/);
  });

  it("names what a call has made, and the thing a call is about", async () => {
    const { data } = (await api.call("POST", `/api/v1/databases/${id}/backups`, { body: {} })).body;
    await api.call("POST", `/api/v1/databases/${id}/stop`);
    const { body } = await log();
    const named = body.data.map((each: Record<string, string>) => [
      each.action,
      each.resource_type,
      each.resource_id,
    ]);
    expect(named).toEqual([
      ["databases.stop", "database", id],
      ["backups.create", "backup", data.id],
      ["projects.create", "project", projectId],
    ]);
  });

  it("is written when nothing is left to change, and once for a key that comes again", async () => {
    await update({ size: "small" });
    const headers = { "idempotency-key": "once" };
    for (const _ of [1, 2, 3]) await update({ size: "medium" }, headers);
    const all = ["databases.update", "databases.update", "projects.create"];
    expect(await actions("?outcome=succeeded")).toEqual(all);
  });

  it("says of an answer that was given again that it was", async () => {
    const headers = { "idempotency-key": "once" };
    for (const _ of [1, 2, 3]) await update({ size: "medium" }, headers);
    expect(await actions("?outcome=replayed")).toEqual(["databases.update", "databases.update"]);
  });

  it("says of a call that was refused for its key, its scope or its owner with what", async () => {
    const reader = await api.addKey(["databases:read"]);
    const stranger = await api.addStranger();
    const path = `/api/v1/databases/${id}`;
    const body = { size: "medium" };
    const before = await api.context.db.select().from(auditEntry);
    const refusals = [
      [401, () => api.call("PATCH", path, { body, key: null })],
      [403, () => api.call("PATCH", path, { body, key: reader })],
      [404, () => api.call("PATCH", path, { body, key: stranger })],
      [422, () => update({ size: "gigantic" })],
      [400, () => api.call("PATCH", path, { body: "{" })],
      [404, () => api.call("POST", `${path}/sessions/7/cancel`)],
      [404, () => api.call("GET", `${path}/credentials`, { key: stranger })],
      [403, () => api.call("GET", `${path}/credentials`, { key: reader })],
    ] as const;
    for (const [status, ask] of refusals) expect((await ask()).status).toBe(status);
    const written = (await api.context.db.select().from(auditEntry)).slice(before.length);
    const facts = written.map(({ action, after }) => {
      const { outcome, status } = JSON.parse(after ?? "{}");
      return `${outcome} ${status} ${action}`;
    });
    expect(facts).toEqual([
      "refused 401 databases.update",
      "refused 403 databases.update",
      "refused 404 databases.update",
      "refused 404 databases.sessions.cancel",
      "refused 404 databases.credentials",
      "refused 403 databases.credentials",
    ]);
    const stranger404 = written.find(({ after }) => after?.includes("404"));
    expect(stranger404?.organizationId).not.toBe(api.actor.organizationId);
  });

  it("is not written when the batch of its change is aborted", async () => {
    const restart = () => api.call("POST", `/api/v1/databases/${id}/restart`);
    const answers = await Promise.all([restart(), restart(), restart()]);
    const lost = answers.filter(({ status }) => status === 409);
    expect(lost.length).toBeGreaterThan(0);
    const won = await actions("?action=databases.restart");
    expect(won).toHaveLength(answers.length - lost.length);
  });

  it("tells of credentials before they are given out", async () => {
    await api.call("GET", `/api/v1/databases/${id}/credentials`);
    const boot = `/api/v1/projects/${projectId}/environments/production/boot-env`;
    await api.call("GET", boot);
    expect(await actions("?limit=2")).toEqual(["environments.bootEnv", "databases.credentials"]);
    await env.DB.exec(
      "create trigger is_away before insert on audit_entry begin select raise(abort, 'away'); end",
    );
    try {
      for (const path of [`/api/v1/databases/${id}/credentials`, boot]) {
        const answer = await api.call("GET", path);
        expect(answer.status).toBe(500);
        expect(JSON.stringify(answer.body)).not.toContain("postgresql://");
      }
    } finally {
      await env.DB.exec("drop trigger is_away");
    }
  });
});

describe("the audit log", () => {
  it("is filtered by who, what, which thing, which request and when", async () => {
    const key = await api.addKey(["*"]);
    await api.call("POST", `/api/v1/databases/${id}/stop`, { key });
    api.clock.advance(60);
    await api.call("POST", `/api/v1/databases/${id}/start`, { headers: { "x-request-id": "r-7" } });
    const at = api.clock.now().toISOString();
    const { body } = await log("?action=databases.stop");
    const { actor } = body.data[0];
    expect(await actions(`?actor=${actor.id}`)).toEqual(["databases.stop"]);
    expect(await actions(`?actor=${actor.key_prefix}`)).toEqual(["databases.stop"]);
    expect(await actions("?action=databases.*")).toEqual(["databases.start", "databases.stop"]);
    expect(await actions(`?resource_id=${projectId}`)).toEqual(["projects.create"]);
    expect(await actions("?resource_type=database&limit=1")).toEqual(["databases.start"]);
    expect(await actions("?request_id=r-7")).toEqual(["databases.start"]);
    expect(await actions(`?since=${at}`)).toEqual(["databases.start"]);
    expect(await actions(`?until=${at}`)).toEqual(["databases.stop", "projects.create"]);
  });

  it("pages by cursor", async () => {
    await update({ size: "medium" });
    const first = (await log("?limit=1")).body;
    expect(first.total).toBe(2);
    expect(await actions(`?limit=1&cursor=${first.next_cursor}`)).toEqual(["projects.create"]);
  });

  it("is an auditor's: for its own organization, and not for a key of one workspace", async () => {
    const auditor = await api.addKey(["audit:read"]);
    expect((await log("", auditor)).body.total).toBe(1);
    expect((await log("/verify", auditor)).body.data.holds).toBe(true);
    const stranger = await api.addStranger();
    expect((await log("", stranger)).body.total).toBe(0);
    expect((await log("/verify", stranger)).body.data.unsealed).toBe(0);
    const [workspace] = (await api.call("GET", "/api/v1/workspaces")).body.data;
    const bound = await api.addKey(["*"], workspace.id);
    const reader = await api.addKey(["databases:read"]);
    for (const path of ["", "/verify"]) {
      expect((await log(path, bound)).status).toBe(403);
      expect((await log(path, reader)).body.error.details.required_scope).toBe("audit:read");
    }
  });

  it.each(["action=a;b", "since=yesterday", "until=7", "cursor=x"])(
    "with %s is 422 and names the field",
    async (query) => {
      const { status, body } = await log(`?${query}`);
      expect([status, Object.keys(body.errors)]).toEqual([422, [query.split("=")[0]]]);
    },
  );

  it("is not walked on from an entry that is not there", async () => {
    const { status, body } = await log(`/verify?cursor=${btoa("s:999999").replaceAll("=", "")}`);
    expect([status, Object.keys(body.errors)]).toEqual([422, ["cursor"]]);
  });
});

it("can be checked by whoever lists it, with nothing else", async () => {
  await update({ size: "medium", allowed_addresses: ["10.0.0.0/8"] });
  await api.call("PATCH", `/api/v1/projects/${projectId}`, { body: { name: 'Zoë "Ünï" 🦷' } });
  await sealEntries(api.context, api.actor.organizationId);
  const textOf = (value: unknown) => (value === null ? null : JSON.stringify(value));
  let previous = "0".repeat(64);
  for (const each of (await log()).body.data.reverse()) {
    const { actor, before, after } = each;
    const who = [each.id, each.tenant_id, actor.id, actor.key_prefix, each.address];
    const what = [each.action, each.resource_type, each.resource_id, textOf(before), textOf(after)];
    const said = JSON.stringify([...who, ...what, each.request_id, each.created_at]);
    expect(each.previous_hash).toBe(previous);
    expect(each.hash).toBe(await sha256(`${previous}\n${said}`));
    previous = each.hash;
  }
});

describe("the thing a path names", () => {
  it.each([
    ["/databases/1/backups/2/download", { type: "backup", id: "2" }],
    ["/api/v1/projects/1/data-services/2", { type: "database", id: "2" }],
    ["/databases/1/sessions/42/cancel", { type: "database", id: "1" }],
    ["/projects/1/environments/staging/boot-env", { type: "project", id: "1" }],
    ["/projects", null],
    ["/", null],
  ])("%s", (path, resource) => {
    expect(resourceIn(path)).toEqual(resource);
  });
});
