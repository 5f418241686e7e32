// Everything the API can change, and all it can give out, once: each leaves its entry, with nothing
// secret in it. A call that is new fails by name until it is made here.
import { expect, test } from "vitest";
import { auditEntry } from "../../src/audit/table.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { aDump } from "../support/fake-recovery.ts";
import { runToEnd } from "../support/run.ts";
import { hostId } from "../support/seed.ts";

const address = "203.0.113.9";

/** Calls the API as a client at that address, and keeps every secret it is told. */
function createClient(api: TestApi) {
  const secrets = new Set<string>(["s3cret"]);

  // biome-ignore lint/suspicious/noExplicitAny: tests reach into answers of every shape.
  async function send(method: string, path: string, body?: unknown, type?: string): Promise<any> {
    const headers = { "cf-connecting-ip": address, ...(type ? { "content-type": type } : {}) };
    const answer = await api.call(method, `/api/v1${path}`, {
      headers,
      ...(body === undefined ? {} : { body }),
    });
    expect(answer.status, `${method} ${path}: ${JSON.stringify(answer.body)}`).toBeLessThan(300);
    for (const secret of secretsIn(JSON.stringify(answer.body ?? null))) secrets.add(secret);
    return answer.body?.data ?? answer.body;
  }

  return { send, secrets };
}

function secretsIn(text: string): string[] {
  const passwords = text.matchAll(/postgresql:\/\/[^:"]+:([^@"]+)@/g);
  const named = text.matchAll(/"(?:password|secret|key|token)":"([^"]+)"/g);
  const signed = text.matchAll(/signature=([\w-]+)/g);
  return [...passwords, ...named, ...signed].map(([, secret = ""]) => secret);
}

type Send = ReturnType<typeof createClient>["send"];

async function changeProjects(send: Send) {
  const workspace = await send("POST", "/workspaces", { name: "Clinics" });
  const metadata = { note: "s3cret-in-metadata" };
  await send("PATCH", `/workspaces/${workspace.id}`, { name: "Practices", metadata });
  const project = await send("POST", "/projects", {
    name: "Smile Dental",
    metadata,
    data: { postgres: true },
  });
  await send("PATCH", `/projects/${project.id}`, { name: "Smile", metadata });
  await send("GET", `/projects/${project.id}/environments/staging/boot-env`);
  const id: string = project.databases[0].id;
  return { projectId: project.id as string, id };
}

async function changeDatabases(api: TestApi, send: Send, projectId: string, id: string) {
  await send("GET", `/databases/${id}/credentials`);
  await send("PATCH", `/databases/${id}`, { size: "medium", allowed_addresses: ["10.0.0.0/8"] });
  for (const verb of ["stop", "start", "restart"]) await send("POST", `/databases/${id}/${verb}`);
  await send("POST", `/databases/${id}/credentials/rotate`, { overlap_seconds: 0 });
  api.host.seen.sessions.push({
    ...{ pid: 42, role: "usr_x", application: "psql", state: "active", wait: null },
    ...{
      blocked_by: [],
      query: "select 1",
      age_seconds: 3,
      transaction_seconds: 2,
      query_seconds: 1,
    },
  });
  for (const signal of ["cancel", "terminate"]) {
    await send("POST", `/databases/${id}/sessions/42/${signal}`);
  }
  const services = `/projects/${projectId}/data-services`;
  const service = await send("POST", services, { type: "postgres", name: "reports" });
  await send("DELETE", `${services}/${service.id}`);
  const beside = await send("POST", "/databases", { project_id: projectId, name: "beside" });
  await send("POST", `/databases/${beside.id}/promote`);
  await send("DELETE", `/databases/${beside.id}`);
  await send("POST", `/databases/${beside.id}/undelete`);
  const networking = `/databases/${beside.id}/public-networking`;
  await send("POST", networking, { allowlist: ["203.0.113.0/24"] });
  await send("DELETE", networking);
  const workspace = await send("POST", "/workspaces", { name: "for a while" });
  await send("DELETE", `/workspaces/${workspace.id}`);
}

async function backUp(send: Send, id: string) {
  const made = await send("POST", `/databases/${id}/backups`, { name: "before" });
  await send("POST", `/databases/${id}/backup`, {});
  await send("POST", `/databases/${id}/backups/${made.id}/download`);
  await send("DELETE", `/databases/${id}/backups/${made.id}`);
}

async function restore(api: TestApi, send: Send, projectId: string, id: string) {
  const settle = () => runToEnd(api, `project:${projectId}`);
  const target = () => ({ target_time: api.clock.now().toISOString() });
  await send("POST", `/databases/${id}/restore-points`, { name: "before" });
  const preview = await send("POST", `/databases/${id}/restores`, { ...target(), mode: "preview" });
  await settle();
  await send("GET", `/restores/${preview.id}/credentials`);
  await send("POST", `/restores/${preview.id}/promote`, { mode: "new", name: "promoted" });
  await settle();
  const second = await send("POST", `/databases/${id}/restores`, { ...target(), mode: "preview" });
  await settle();
  await send("DELETE", `/restores/${second.id}`);
  await settle();
  const older = await send("POST", `/databases/${id}/restore`, { ...target(), mode: "in_place" });
  await send("POST", `/operations/${older.operation_id}/cancel`);
  await settle();
  const bytes = "application/octet-stream";
  const imported = await send("POST", `/databases/${id}/imports`, "PGDMP and the rest", bytes);
  await settle();
  await send("POST", `/restores/${imported.id}/undo`);
  await settle();
  const branch = await send("POST", `/databases/${id}/branches`, { name: "a-branch" });
  await send("POST", `/databases/${branch.id}/promote-branch`);
  await settle();
}

async function keepKeys(send: Send) {
  const made = await send("POST", "/api-keys", { name: "CI", scopes: ["databases:read"] });
  await send("PATCH", `/api-keys/${made.id}`, { name: "CI of the shop" });
  const renewed = await send("POST", `/api-keys/${made.id}/rotate`);
  await send("DELETE", `/api-keys/${renewed.id}`);
  const scopes = ["databases:read"];
  await send("POST", "/api-keys/presets", { name: "ci", scopes });
  await send("DELETE", "/api-keys/presets/ci");
  await send("POST", "/api-keys/scoped", { external_user_id: "u1", scopes, label: "an end user" });
}

async function tellOthers(api: TestApi, send: Send) {
  api.internet.put("hooks.example.com");
  const body = {
    url: "https://hooks.example.com/s3cret-in-path",
    headers: { "x-key": "s3cret-header" },
  };
  const webhook = await send("POST", "/webhooks", { ...body, secret: "s3cret-of-the-caller" });
  const path = `/webhooks/${webhook.id}`;
  await send("PATCH", path, { events: ["database.*"], retry_count: 1 });
  for (const verb of ["pause", "resume"]) await send("POST", `${path}/${verb}`);
  await send("POST", `${path}/rotate-secret`, {});
  const delivery = await send("POST", `${path}/test`);
  await send("POST", `${path}/deliveries/${delivery.id}/replay`, { replay_id: "again" });
  await send("POST", `${path}/replay`, { since: api.clock.now().toISOString() });
  await send("DELETE", path);
}

async function operate(api: TestApi, send: Send, id: string) {
  await send("PATCH", `/admin/databases/${id}/limits`, { connections_max: 150 });
  await send("PUT", `/admin/organizations/${api.actor.organizationId}/plan`, {
    small: { pool_size: 9 },
  });
  await send("POST", "/admin/hosts", {
    ...{ id: "00000000-0000-4000-8000-000000000001", name: "eu-1" },
    ...{ host_url: "https://eu-1.example.com:4000", public_host: "eu-1.example.com" },
    ...{ transaction_port: 6432, session_port: 6433, databases_max: 300 },
  });
  await send("PATCH", "/admin/hosts/00000000-0000-4000-8000-000000000001", { name: "eu-2" });
  await send("DELETE", "/admin/hosts/00000000-0000-4000-8000-000000000001");
  await send("POST", "/admin/hold", { reason: "a look" });
  await send("DELETE", "/admin/hold");
  const { databases, dumps } = api.host.things;
  const [found] = databases.values();
  if (found === undefined) throw new Error("There is no database.");
  const trash = `/admin/hosts/${hostId}/trash/proj_lost`;
  for (const [method, rest] of [
    ["POST", "/restore"],
    ["DELETE", ""],
  ] as const) {
    databases.set("proj_lost", { ...found, state: "stopped" });
    await send(method, `${trash}${rest}`);
  }
  const lost = "019a0000-0000-7000-8000-0000000000d9";
  dumps.set(lost, aDump(lost));
  await send("DELETE", `/admin/hosts/${hostId}/dumps/${lost}`);
  await send("POST", `/admin/hosts/${hostId}/reconcile`);
  await send("POST", `/admin/databases/${id}/base-backups`, { type: "full" });
  await send("POST", `/admin/hosts/${hostId}/verifications`, { database_id: id });
}

// biome-ignore lint/suspicious/noExplicitAny: a document of every shape.
function auditedIn({ paths }: any): string[] {
  // biome-ignore lint/suspicious/noExplicitAny: a document of every shape.
  return Object.values<any>(paths).flatMap((methods) =>
    Object.entries<{ operationId: string; "x-audited"?: boolean }>(methods)
      .filter(([method, route]) => method !== "get" || route["x-audited"] === true)
      .map(([, { operationId }]) => operationId),
  );
}

test("every call that changes or gives out something leaves an entry, no secret", async () => {
  const api = await createTestApi();
  const { send, secrets } = createClient(api);
  const { projectId, id } = await changeProjects(send);
  await changeDatabases(api, send, projectId, id);
  await backUp(send, id);
  await restore(api, send, projectId, id);
  await keepKeys(send);
  await tellOthers(api, send);
  await operate(api, send, id);
  await runToEnd(api, `project:${projectId}`);
  await send("DELETE", `/projects/${projectId}`);
  await runToEnd(api, `project:${projectId}`);
  await send("POST", `/projects/${projectId}/undelete`);

  const rows = await api.context.db.select().from(auditEntry);
  const audited = auditedIn((await api.call("GET", "/openapi.json")).body);
  const made = new Set(rows.map(({ action }) => action));
  const missing = audited.filter((action) => !made.has(action));
  expect(missing, "calls that are to be made in test/audit/whole-api.test.ts, too").toEqual([]);
  expect([...made].filter((action) => !audited.includes(action))).toEqual([]);
  expect(rows.filter(({ resourceId }) => resourceId === null)).toEqual([]);
  expect(new Set(rows.map((row) => row.address))).toEqual(new Set([address]));
  expect(secrets.size).toBeGreaterThan(8);
  const text = JSON.stringify(rows);
  expect([...secrets].filter((secret) => text.includes(secret))).toEqual([]);
});

test("whatever answers with a password is marked as one to be written down", async () => {
  const api = await createTestApi();
  const { paths, components } = (await api.call("GET", "/openapi.json")).body;
  const unmarked: string[] = [];
  for (const [path, { get }] of Object.entries<Record<"get", Record<string, unknown>>>(paths)) {
    const answers = JSON.stringify(get?.responses ?? {});
    const named = [...answers.matchAll(/#\/components\/schemas\/(\w+)/g)];
    const schemas = named.map(([, name = ""]) => JSON.stringify(components.schemas[name]));
    const isSecret = [answers, ...schemas].some((it) => /"(password|database_url|env)":/.test(it));
    if (isSecret && get["x-audited"] !== true) unmarked.push(path);
  }
  expect(unmarked).toEqual([]);
});
