// Every operation of the document × every kind of caller that must not get through: none, one
// without the scope, a read-only one, one of another workspace, user or organization. Made from the
// document, with the ids of a victim's things wherever an operation takes one, so that a new route
// cannot be forgotten: it fails here until it says its scope, and until it hides what it shows.
import { beforeAll, describe, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../support/api.ts";
import { hostId } from "../support/seed.ts";

// biome-ignore lint/suspicious/noExplicitAny: the document and answers of every shape.
type Json = any;

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly name: string;
  readonly scope: string | undefined;
  readonly parameters: readonly { readonly in: string; readonly name: string }[];
  readonly bodyFields: readonly string[];
}

let api: TestApi;
let operations: Operation[];
let victim: Record<string, string>;
let keys: Record<Caller, string>;
type Caller =
  | "without scopes"
  | "read-only"
  | "of another workspace"
  | "of another user"
  | "of another organization";

const strangers = ["of another workspace", "of another user", "of another organization"] as const;

beforeAll(async () => {
  api = await createTestApi();
  api.internet.put("hooks.example.com");
  operations = await listOperations();
  victim = await makeVictim();
  keys = await makeKeys();
}, 120_000);

async function listOperations(): Promise<Operation[]> {
  const { body: document } = await api.call("GET", "/openapi.json", { key: null });
  const resolve = (schema: Json): Json =>
    schema?.$ref === undefined
      ? schema
      : document.components.schemas[schema.$ref.split("/").at(-1) ?? ""];
  return Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
    Object.entries<Json>(methods).map(([method, operation]) => {
      const schema = resolve(operation.requestBody?.content?.["application/json"]?.schema);
      return {
        method: method.toUpperCase(),
        path,
        name: operation.operationId,
        scope: operation.security?.[0]?.apiKey?.[0],
        parameters: operation.parameters ?? [],
        bodyFields: Object.keys(schema?.properties ?? {}),
      };
    }),
  );
}

const made = async (path: string, body: object, key?: string) => {
  const answer = await api.call("POST", `/api/v1${path}`, {
    body,
    ...(key === undefined ? {} : { key }),
  });
  expect([path, answer.status]).toEqual([path, answer.status < 300 ? answer.status : 201]);
  return answer.body.data;
};

/** One thing of every noun that paths name, all of user B in the workspace Globex. */
async function makeVictim(): Promise<Record<string, string>> {
  const workspace = await made("/workspaces", { name: "Globex", slug: "globex" });
  const project = await made("/projects", {
    ...{ name: "Victim", slug: "victim", workspace_id: workspace.id, external_user_id: "B" },
    ...{ external_project_id: "p-1", data: { postgres: true } },
  });
  const [database] = project.databases;
  const backup = await made(`/databases/${database.id}/backups`, {});
  const key = await made("/api-keys", { name: "Victim's", workspace_id: workspace.id });
  const webhook = await made("/webhooks", {
    ...{ url: "https://hooks.example.com/victim", workspace_id: workspace.id },
  });
  const delivery = await made(`/webhooks/${webhook.id}/test`, {});
  const { data: operationList } = (
    await api.call("GET", `/api/v1/operations?project_id=${project.id}`)
  ).body;
  const { data: environments } = (
    await api.call("GET", `/api/v1/projects/${project.id}/environments`)
  ).body;
  const point = await made(`/databases/${database.id}/restore-points`, { name: "before" });
  const restore = await made(`/databases/${database.id}/restores`, { restore_point: point.name });
  return {
    workspaces: workspace.id,
    projects: project.id,
    databases: database.id,
    "data-services": database.id,
    backups: backup.id,
    "api-keys": key.id,
    webhooks: webhook.id,
    deliveries: delivery.id,
    operations: operationList[0].id,
    environments: environments[0].id,
    restores: restore.id,
    certificates: crypto.randomUUID(),
    hosts: hostId,
    organizations: api.actor.organizationId,
    dumps: crypto.randomUUID(),
    secret: key.key,
    password: new URL(database.database_url).password,
  };
}

const allOf = async (verb: "read" | "write") =>
  [...new Set(operations.flatMap(({ scope }) => (scope === undefined ? [] : [scope])))]
    .map((scope) => `${scope.split(":")[0]}:${verb}`)
    .filter((scope) => !scope.startsWith("admin:"));

async function makeKeys(): Promise<Record<Caller, string>> {
  const other = await made("/workspaces", { name: "Initech", slug: "initech" });
  const userScopes = ["projects:write", "databases:write", "workspaces:read", "events:read"];
  const user = { external_user_id: "A", scopes: userScopes, rate_limit_rpm: 60_000 };
  return {
    "without scopes": await api.addKey([]),
    "read-only": await api.addKey(await allOf("read")),
    "of another workspace": await api.addKey(["*"], other.id),
    "of another user": (await made("/api-keys/scoped", user)).key,
    "of another organization": await api.addStranger(),
  };
}

const names: Readonly<Record<string, string>> = { name: "production", pid: "1" };

/** A path with the victim's ids in it: each parameter is of the noun that stands before it. */
function pathOf({ path, name }: Operation): string {
  const parts = path.split("/");
  const named = path.includes("/trash/") ? { name: "trash_20260102_proj_lost" } : names;
  return parts
    .map((part, at) => {
      const [, parameter] = /^\{(\w+)\}$/.exec(part) ?? [];
      if (parameter === undefined) return part;
      const known = (named as typeof names)[parameter] ?? victim[parts[at - 1] ?? ""];
      expect(known, `${name}: a victim's id for ${parameter} in ${path}`).toBeDefined();
      return known;
    })
    .join("/");
}

// What a body must have beside the ids of others; every operation with a body that is required.
const bodies: Readonly<Record<string, object>> = {
  "apiKeys.create": { name: "K" },
  "apiKeys.createScoped": { external_user_id: "A" },
  "apiKeys.createPreset": { name: "p", scopes: [] },
  "workspaces.create": { name: "W" },
  "projects.create": { name: "P" },
  "dataServices.create": { type: "postgres" },
  "restorePoints.create": { name: "r" },
  "restores.create": { target_time: "2026-01-01T00:00:00Z" },
  "restores.createOlder": { target_time: "2026-01-01T00:00:00Z" },
  "restores.promote": { mode: "new" },
  "webhooks.create": { url: "https://hooks.example.com/" },
  "webhooks.replay": { since: "2026-01-01T00:00:00Z" },
  "hosts.register": {
    ...{ id: hostId, name: "c", host_url: "http://127.0.0.1:1", public_host: "127.0.0.1" },
    ...{ transaction_port: 1, session_port: 2, databases_max: 1 },
  },
};

interface Extra {
  readonly query?: string;
  readonly body?: object;
  readonly headers?: Record<string, string>;
}

async function ask(operation: Operation, key: string | null, extra: Extra = {}) {
  const { method, name } = operation;
  const hasBody = method !== "GET" && (operation.bodyFields.length > 0 || extra.body !== undefined);
  return api.call(method, `${pathOf(operation)}${extra.query ?? ""}`, {
    key,
    ...(hasBody ? { body: { ...bodies[name], ...extra.body } } : {}),
    ...(extra.headers === undefined ? {} : { headers: extra.headers }),
  });
}

const ofApi = () => operations.filter(({ path }) => path.startsWith("/api/v1/"));

// Streams and lists answer with what the caller may see; the victim's is none of that.
function expectNothingOf(name: string, body: unknown, said = "") {
  const whole = typeof body === "string" ? body : JSON.stringify(body);
  // The log of refused calls repeats to a caller what it asked for itself.
  const text = said === "" ? whole : whole.replaceAll(said, "");
  const shown = ["projects", "databases", "backups", "webhooks", "restores", "secret", "password"]
    .map((noun) => victim[noun] ?? "")
    .filter((id) => text.includes(id));
  expect([name, shown]).toEqual([name, []]);
}

describe("every operation", () => {
  it("says in the document which scope it needs: reads a read, changes a write", () => {
    for (const { path, method, name, scope } of ofApi()) {
      const wanted = method === "GET" ? /^\w+:(read|write)$/ : /^\w+:write$/;
      expect([name, scope]).toEqual([name, expect.stringMatching(wanted)]);
      expect([name, scope?.startsWith("admin:")]).toEqual([name, path.includes("/admin/")]);
    }
  });

  it("is 401 without a key", async () => {
    for (const operation of ofApi()) {
      const { status, body } = await ask(operation, null);
      expect([operation.name, status, body.error?.code]).toEqual([
        ...[operation.name, 401, "invalid_token"],
      ]);
    }
  }, 120_000);

  it("is 403 for a key without scopes, and names the one it needs", async () => {
    for (const operation of ofApi()) {
      const { status, body } = await ask(operation, keys["without scopes"]);
      const isAdmin = operation.path.includes("/admin/");
      expect([operation.name, status, body.error?.code]).toEqual([
        ...[operation.name, 403, isAdmin ? "FORBIDDEN" : "insufficient_scope"],
      ]);
      if (isAdmin) continue;
      expect(body.error.details).toEqual({ required_scope: operation.scope });
    }
  }, 120_000);

  it("that needs a write is 403 for a read-only key", async () => {
    const writes = ofApi().filter(({ scope }) => scope?.endsWith(":write"));
    expect(writes.length).toBeGreaterThan(40);
    for (const operation of writes) {
      const { status } = await ask(operation, keys["read-only"]);
      expect([operation.name, status]).toEqual([operation.name, 403]);
    }
  }, 120_000);

  it.each(strangers)(
    "on a path with the ids of others is 404 or 403 for a key %s",
    async (who) => {
      const named = ofApi().filter(({ path }) => path.includes("{"));
      expect(named.length).toBeGreaterThan(50);
      for (const operation of named) {
        // The organization is the stranger's own, and what is everybody's has no owner.
        const isOwn =
          who !== "of another organization" && operation.name === "apiKeys.deletePreset";
        const { status, body } = await ask(operation, keys[who]);
        const expected = isOwn ? [404, 403, 409] : [404, 403];
        expect([operation.name, expected.includes(status), body.error?.message]).toEqual([
          ...[operation.name, true, body.error?.message],
        ]);
        expectNothingOf(operation.name, body);
      }
    },
    120_000,
  );

  // By the field's own name, in queries and bodies alike.
  const victimFor = (field: string): string | undefined =>
    ({
      workspace_id: victim.workspaces,
      workspace_slug: "globex",
      project_id: victim.projects,
      environment_id: victim.environments,
      database_id: victim.databases,
      resource_id: victim.databases,
      backup_id: victim.backups,
      operation_id: victim.operations,
      before: undefined,
    })[field];

  it.each(strangers)(
    "with the ids of others in its query shows nothing to a key %s",
    async (who) => {
      let asked = 0;
      for (const operation of ofApi().filter(({ path }) => !path.includes("{"))) {
        for (const { in: place, name } of operation.parameters) {
          const value = place === "query" ? victimFor(name) : undefined;
          if (value === undefined) continue;
          asked++;
          const { status, body } = await ask(operation, keys[who], { query: `?${name}=${value}` });
          expect([operation.name, name, [200, 403, 404].includes(status)]).toEqual([
            ...[operation.name, name, true],
          ]);
          expectNothingOf(`${operation.name} ?${name}`, status === 200 ? body.data : {}, value);
        }
      }
      expect(asked).toBeGreaterThan(8);
    },
    120_000,
  );

  it.each(strangers)(
    "with the ids of others in its body is refused to a key %s",
    async (who) => {
      let asked = 0;
      for (const operation of ofApi().filter(({ path }) => !path.includes("{"))) {
        for (const field of operation.bodyFields) {
          const value = victimFor(field);
          if (value === undefined) continue;
          asked++;
          const { status, body } = await ask(operation, keys[who], { body: { [field]: value } });
          expect([
            operation.name,
            field,
            [403, 404, 422].includes(status),
            body.error?.code,
          ]).toEqual([...[operation.name, field, true, body.error?.code]]);
          expectNothingOf(`${operation.name} {${field}}`, body);
        }
      }
      expect(asked).toBeGreaterThan(5);
    },
    120_000,
  );

  it.each(strangers)(
    "under a workspace of others in its header is 404 to a key %s",
    async (who) => {
      for (const operation of ofApi()) {
        for (const named of [victim.workspaces ?? "", "globex"]) {
          const headers = { "x-miosa-workspace": named };
          const { status, body } = await ask(operation, keys[who], { headers });
          expect([operation.name, status]).toEqual([operation.name, 404]);
          expectNothingOf(operation.name, body);
        }
      }
    },
    120_000,
  );

  it("under an organization that is not the key's own is 422", async () => {
    for (const operation of ofApi()) {
      for (const named of [crypto.randomUUID(), "nobody"]) {
        const headers = { "x-miosa-tenant": named };
        const { status, body } = await ask(operation, keys["read-only"], { headers });
        expect([operation.name, status, body.error?.code]).toEqual([
          ...[operation.name, 422, "TENANT_RESOLUTION_FAILED"],
        ]);
      }
    }
  }, 120_000);

  it("leaves the victim as it was", async () => {
    for (const path of [`/projects/${victim.projects}`, `/databases/${victim.databases}`]) {
      const { status, body } = await api.call("GET", `/api/v1${path}`);
      expect([path, status, body.data.state]).toEqual([
        ...[path, 200, path.startsWith("/projects") ? "active" : "running"],
      ]);
    }
    const { body } = await api.call("GET", `/api/v1/projects/${victim.projects}`);
    // Its own, and the one it had restored.
    expect(body.data.databases).toHaveLength(2);
  });
});

describe("what one key was answered", () => {
  const body = { name: "B's", external_user_id: "B", data: { postgres: true } };

  it("no other key is answered under the same Idempotency-Key", async () => {
    const headers = { "idempotency-key": "create-1" };
    const own = await api.call("POST", "/api/v1/projects", { body, headers });
    const { password } = new URL(own.body.data.databases[0].database_url);
    const again = await api.call("POST", "/api/v1/projects", { body, headers });
    expect(again.body).toEqual(own.body);
    for (const key of Object.values(keys)) {
      const theirs = await api.call("POST", "/api/v1/projects", { body, headers, key });
      expect(theirs.headers.get("idempotency-replayed")).toBeNull();
      expect(JSON.stringify(theirs.body)).not.toContain(password);
    }
  });

  it("it is not answered again once it has lost the scope", async () => {
    const scopes = ["projects:write", "databases:write"];
    const { id, key } = await made("/api-keys", { name: "K", scopes });
    const headers = { "idempotency-key": "create-2" };
    expect((await api.call("POST", "/api/v1/projects", { body, headers, key })).status).toBe(201);
    const narrower = { scopes: ["projects:read"] };
    await api.call("PATCH", `/api/v1/api-keys/${id}`, { body: narrower });
    expect((await api.call("POST", "/api/v1/projects", { body, headers, key })).status).toBe(403);
  });
});

describe("an external id", () => {
  it("of one user never names what another user has", async () => {
    const squat = { name: "x", external_project_id: "future" };
    const { id } = await made("/projects", squat, keys["of another user"]);
    const wanted = { external_project_id: "future", external_user_id: "B" };
    const database = await made("/databases", wanted);
    expect(database.project_id).not.toBe(id);
    const nobodys = await made("/databases", { external_project_id: "future", name: "more" });
    expect([id, database.project_id]).not.toContain(nobodys.project_id);
    const env = await api.call("GET", `/api/v1/projects/${id}/environments/production/boot-env`, {
      key: keys["of another user"],
    });
    expect(JSON.stringify(env.body)).not.toContain(database.database);
  });

  it("of one user is refused for a database in another user's project", async () => {
    const { id } = await made("/projects", { name: "A's", external_user_id: "A" });
    const body = { project_id: id, external_user_id: "B" };
    const { status, body: answer } = await api.call("POST", "/api/v1/databases", { body });
    expect([status, Object.keys(answer.errors)]).toEqual([422, ["external_user_id"]]);
  });
});

describe("keys that one key made", () => {
  it("share its rate", async () => {
    const parent = await made("/api-keys", {
      ...{ name: "parent", scopes: ["api_keys:write", "projects:read"], rate_limit_rpm: 20 },
    });
    const children = [];
    for (const name of ["a", "b"]) {
      const child = { name, scopes: ["projects:read"], rate_limit_rpm: 20 };
      children.push((await made("/api-keys", child, parent.key)).key);
    }
    const statuses: number[] = [];
    for (let at = 0; at < 40; at++) {
      const key = children[at % 2];
      statuses.push((await api.call("GET", "/api/v1/projects", { key })).status);
    }
    expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(20);
    expect((await api.call("GET", "/api/v1/projects", { key: parent.key })).status).toBe(429);
  });
});

describe("an admin key that is limited", () => {
  it("to other scopes makes no call of an operator", async () => {
    const scopes = ["databases:read"];
    const { key } = await made("/api-keys", { name: "K", key_type: "admin", scopes });
    for (const operation of ofApi().filter(({ path }) => path.includes("/admin/"))) {
      const { status, body } = await ask(operation, key);
      expect([operation.name, status, body.error?.details]).toEqual([
        ...[operation.name, 403, { required_scope: operation.scope }],
      ]);
    }
  });
});
