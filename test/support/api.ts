// The whole API over a test's own ports: real D1, a host in memory, lanes run in this process.
import { env } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { expect } from "vitest";
import { sha256 } from "../../src/account/authenticate.ts";
import { apiKey, organization, workspace } from "../../src/account/table.ts";
import { auditEntry } from "../../src/audit/table.ts";
import type { Context } from "../../src/core/context.ts";
import { newId } from "../../src/core/id.ts";
import { createApp } from "../../workers/api.ts";
import { run } from "../../workers/run.ts";
import { createTestContext } from "./context.ts";
import { anInstallation } from "./seed.ts";

/** One call of the API. */
export interface Call {
  readonly body?: unknown;
  /** The API key; null sends none. The admin key when absent. */
  readonly key?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  /** The installation's admin key, when the setting has changed. */
  readonly adminKey?: string;
  /** Settings of the Worker that are not those of other tests. */
  readonly bindings?: object;
}

// biome-ignore lint/suspicious/noExplicitAny: tests reach into answers of every shape.
type Json = any;

/** What came back. */
interface Answer {
  readonly status: number;
  readonly body: Json;
  readonly headers: Headers;
}

// One runner a lane, as its Durable Object is.
function createDrive(context: Context) {
  const running = new Map<string, Promise<unknown>>();
  return async (lane: string): Promise<void> => {
    const after = (running.get(lane) ?? Promise.resolve()).then(() => run(context, lane));
    running.set(lane, after);
    await after;
  };
}

/** An installation with one host, its API and keys of several kinds. */
export async function createTestApi(options: { readonly databasesMax?: number } = {}) {
  const test = await createTestContext();
  const context = { ...test.context };
  Object.assign(context, { drive: createDrive(context) });
  const { actor } = await anInstallation(context, options.databasesMax);
  const app = createApp(async () => context);
  // Every test makes the same ids; what one has counted is not the next one's.
  const own = crypto.randomUUID();
  const ownLimiters = {
    getByName: (name: string) => env.LIMITER.getByName(`${own}:${name}`),
  };

  async function call(method: string, path: string, options: Call = {}) {
    const requestId = options.headers?.["x-request-id"] ?? crypto.randomUUID();
    const headers = { ...options.headers, "x-request-id": requestId };
    const answer = await ask(method, path, { ...options, headers });
    if (method !== "GET") await expectTrail(context, requestId, answer);
    return answer;
  }

  async function ask(method: string, path: string, options: Call) {
    const { body, key, headers = {}, bindings = {} } = options;
    const token = key === undefined ? adminKey : key;
    const request = new Request(`http://api.test${path}`, {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const response = await app.fetch(request, {
      ...env,
      LIMITER: ownLimiters,
      ...bindings,
      MIOSA_ADMIN_KEY: options.adminKey ?? adminKey,
    });
    const text = new TextDecoder().decode(await response.arrayBuffer());
    const isJson = response.headers.get("content-type")?.includes("json") === true;
    const answer: Answer = {
      status: response.status,
      body: isJson ? JSON.parse(text) : text,
      headers: response.headers,
    };
    return answer;
  }

  /** A key of the test's organization with these scopes, bound to a workspace or not. */
  async function addKey(scopes: string[], workspaceId: string | null = null): Promise<string> {
    const key = `msk_u_${newId(context).replaceAll("-", "")}`;
    await insertKey(context, key, { organizationId: actor.organizationId, workspaceId, scopes });
    return key;
  }

  return { ...test, context, actor, call, addKey, addStranger: () => addStranger(context) };
}
export type TestApi = Awaited<ReturnType<typeof createTestApi>>;

// A call that changes something, is answered again or is refused for what it may see leaves one
// entry; one that is wrong leaves none.
async function expectTrail(context: Context, requestId: string, { status, body }: Answer) {
  const isKnown = body.code !== "NOT_FOUND" || !body.message.includes("/docs");
  const isWritten = status < 300 || ((status === 403 || status === 404) && isKnown);
  const found = await context.db
    .select({ action: auditEntry.action })
    .from(auditEntry)
    .where(eq(auditEntry.requestId, requestId));
  // The same caller without a good key is written down once a minute.
  if (status === 401) return;
  expect(found, `entries of the audit log for an answer ${status}`).toHaveLength(isWritten ? 1 : 0);
}

/** The key `anInstallation` makes. */
const adminKey = "msk_a_own0123456789";

// Another organization's all-powerful key.
async function addStranger(context: Context): Promise<string> {
  const [id, key] = [newId(context), `msk_u_${newId(context).replaceAll("-", "")}`];
  const times = { createdAt: context.now(), updatedAt: context.now() };
  await context.db
    .insert(organization)
    .values({ id, name: "Stranger", slug: `stranger-${id}`, projectsMax: 10, ...times });
  await context.db.insert(workspace).values({
    id: newId(context),
    organizationId: id,
    name: "Default",
    slug: "default",
    metadata: {},
    settings: {},
    isDefault: true,
    ...times,
  });
  await insertKey(context, key, { organizationId: id, workspaceId: null, scopes: ["*"] });
  return key;
}

async function insertKey(
  context: Context,
  key: string,
  owner: { organizationId: string; workspaceId: string | null; scopes: string[] },
): Promise<void> {
  await context.db.insert(apiKey).values({
    id: newId(context),
    ...owner,
    name: "test",
    keyPrefix: key.slice(0, 12),
    keyHash: await sha256(key),
    isAdmin: false,
    rateLimitRpm: 600,
    status: "active",
    createdAt: context.now(),
    updatedAt: context.now(),
  });
}
