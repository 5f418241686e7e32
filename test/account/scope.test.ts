// Every route of the API asks for a key, and for a scope of it, before anything else is said.
import { beforeEach, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../support/api.ts";

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi();
});

interface Route {
  readonly method: string;
  readonly path: string;
  readonly operationId: string;
}

const id = "019a7c5e-8f00-7000-8000-000000000000";

// What a route wants to know before it looks at the key's scopes: bodies that are well-formed.
const bodies: Readonly<Record<string, unknown>> = {
  "apiKeys.create": { name: "K" },
  "apiKeys.createScoped": { external_user_id: "u" },
  "workspaces.create": { name: "W" },
  "projects.create": { name: "P" },
  "dataServices.create": { type: "postgres" },
  "restorePoints.create": { name: "r" },
  "restores.promote": { mode: "new" },
  "webhooks.create": { url: "https://hooks.example.com/" },
  "webhooks.replay": { since: "2026-01-01T00:00:00Z" },
  "clusters.register": {
    id,
    name: "c",
    host_url: "http://127.0.0.1:1",
    public_host: "127.0.0.1",
    transaction_port: 1,
    session_port: 2,
    control_user: "u",
    control_password: "a password only tests know",
    databases_max: 1,
  },
};

async function listRoutes(): Promise<Route[]> {
  const { body } = await api.call("GET", "/openapi.json", { key: null });
  return Object.entries<Record<string, { operationId: string }>>(body.paths).flatMap(
    ([path, methods]) =>
      Object.entries(methods).map(([method, { operationId }]) => ({ method, path, operationId })),
  );
}

function send({ method, path, operationId }: Route, key: string | null) {
  const url = path
    .replace("{name}", "production")
    .replace("{pid}", "1")
    .replaceAll(/\{\w+\}/g, id);
  const body = method === "get" ? undefined : (bodies[operationId] ?? {});
  return api.call(method.toUpperCase(), url, { key, body });
}

// A signature opens these in place of a key, or they are everybody's.
const isOpen = ({ path }: Route) => !path.startsWith("/api/v1/");

it("answers 401 at every route without a key", async () => {
  for (const route of (await listRoutes()).filter((each) => !isOpen(each))) {
    const { status, body } = await send(route, null);
    expect([route.operationId, status, body.error?.code]).toEqual([
      route.operationId,
      401,
      "invalid_token",
    ]);
  }
});

it("answers 403 at every route to a key without scopes, and names the one it lacks", async () => {
  const key = await api.addKey([]);
  const wrong = [];
  for (const route of (await listRoutes()).filter((each) => !isOpen(each))) {
    const { status, body } = await send(route, key);
    const isAdmin = route.path.includes("/admin/") && body.error?.code === "FORBIDDEN";
    const form = route.method === "get" ? /^\w+:(read|write)$/ : /^\w+:write$/;
    const isNamed = form.test(body.error?.details?.required_scope ?? "");
    const isScope = body.error?.code === "insufficient_scope" && isNamed;
    if (status !== 403 || !(isAdmin || isScope)) {
      wrong.push([route.operationId, route.method, status, body.error?.message, body.errors]);
    }
  }
  expect(wrong).toEqual([]);
});
