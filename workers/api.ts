// The HTTP surface: what stands in front of every route, and where the routes are mounted.
import { OpenAPIHono } from "@hono/zod-openapi";
import type { HonoRequest, MiddlewareHandler } from "hono";
import type { Allowance } from "../src/account/allowance.ts";
import { keyRoutes } from "../src/account/key-routes.ts";
import { workspaceRoutes } from "../src/account/routes.ts";
import { alertRoutes } from "../src/alert/routes.ts";
import { auditRoutes } from "../src/audit/routes.ts";
import { baseBackupRoutes } from "../src/backup/routes.ts";
import { branchRoutes } from "../src/branch/routes.ts";
import type { Context } from "../src/core/context.ts";
import { ApiError } from "../src/core/error.ts";
import { newId } from "../src/core/id.ts";
import type { RouteEnv } from "../src/core/route.ts";
import { startTiming } from "../src/core/timing.ts";
import { databaseAdminRoutes } from "../src/database/admin-routes.ts";
import { databaseChangeRoutes } from "../src/database/change-routes.ts";
import { databaseDeleteRoutes } from "../src/database/delete-routes.ts";
import { databaseObserveRoutes } from "../src/database/observe-routes.ts";
import { reconcileRoutes } from "../src/database/reconcile-routes.ts";
import { databaseRoutes } from "../src/database/routes.ts";
import { spareRoutes } from "../src/database/spare-routes.ts";
import { trashRoutes } from "../src/database/trash-routes.ts";
import { downloadRoutes } from "../src/dump/download-routes.ts";
import { backupRoutes } from "../src/dump/routes.ts";
import { holdRoutes } from "../src/hold/routes.ts";
import { caRoutes } from "../src/host/ca-routes.ts";
import { hostRoutes } from "../src/host/routes.ts";
import { operationRoutes } from "../src/operation/routes.ts";
import { dataServiceRoutes } from "../src/project/data-service-routes.ts";
import { databaseUndeleteRoutes } from "../src/project/database-undelete-routes.ts";
import { environmentRoutes } from "../src/project/environment-routes.ts";
import { projectRoutes } from "../src/project/routes.ts";
import { workspaceProjectRoutes } from "../src/project/workspace-routes.ts";
import { certificateKeyRoutes } from "../src/proof/key-routes.ts";
import { proofRoutes } from "../src/proof/routes.ts";
import { importRoutes } from "../src/restore/import-routes.ts";
import { previewRoutes } from "../src/restore/preview-routes.ts";
import { restoreRoutes } from "../src/restore/routes.ts";
import { deliveryRoutes } from "../src/webhook/delivery-routes.ts";
import { webhookRoutes } from "../src/webhook/endpoint-routes.ts";
import { eventRoutes } from "../src/webhook/routes.ts";
import { eventStreamRoutes } from "../src/webhook/stream-routes.ts";
import { createAdmission, writeAllowance } from "./admit.ts";
import { audited } from "./audited.ts";
import { authorize } from "./authorize.ts";
import { createCallFinder, type FindCall } from "./call.ts";
import { type Env, now, random } from "./context.ts";
import { mountDocs } from "./docs.ts";
import { enter } from "./enter.ts";
import { idempotent } from "./idempotent.ts";
import { mountOpenapi } from "./openapi.ts";
import { answerError } from "./problem.ts";
import { mountHealth } from "./ready.ts";
import { isStreamed, passBody } from "./stream.ts";

const bodyBytesMax = 1024 * 1024;
const drainedBytesMax = 32 * bodyBytesMax;

/** Bindings of the Worker beside what routes find. */
export interface ApiEnv extends RouteEnv {
  readonly Bindings: Env;
  readonly Variables: RouteEnv["Variables"] & {
    /** What is left to the caller's key; undefined before the key is known. */
    readonly allowance: Allowance | undefined;
  };
}

const routers = [
  keyRoutes,
  workspaceRoutes,
  workspaceProjectRoutes,
  projectRoutes,
  environmentRoutes,
  dataServiceRoutes,
  databaseRoutes,
  databaseChangeRoutes,
  backupRoutes,
  proofRoutes,
  restoreRoutes,
  branchRoutes,
  importRoutes,
  previewRoutes,
  databaseObserveRoutes,
  databaseDeleteRoutes,
  databaseUndeleteRoutes,
  databaseAdminRoutes,
  reconcileRoutes,
  operationRoutes,
  eventRoutes,
  webhookRoutes,
  deliveryRoutes,
  eventStreamRoutes,
  auditRoutes,
  hostRoutes,
  spareRoutes,
  trashRoutes,
  holdRoutes,
  baseBackupRoutes,
  alertRoutes,
];

/** Makes the ports of one isolate from its bindings; a test puts its own here. */
export type ContextOf = (env: Env) => Promise<Context>;

/** The whole API. */
export function createApp(contextOf: ContextOf): OpenAPIHono<ApiEnv> {
  const app = new OpenAPIHono<ApiEnv>();
  app.use(nameRequest);
  app.onError((error, c) => answerError(error, c.var.requestId));
  const findCall = createCallFinder(app);
  app.route("/api/v1", createApi(contextOf, app, findCall));
  app.route("/", createOpen(contextOf));
  mountDocs(app, mountOpenapi(app));
  mountHealth(app, contextOf);
  app.notFound((c) => answerError(unknownPath(findCall, c.req), c.var.requestId));
  return app;
}

function createApi(
  contextOf: ContextOf,
  app: OpenAPIHono<ApiEnv>,
  findCall: FindCall,
): OpenAPIHono<ApiEnv> {
  const api = new OpenAPIHono<ApiEnv>();
  api.use(readBody);
  api.use(createAdmission(contextOf, findCall));
  api.use(audited(findCall));
  api.use(enter);
  api.use(authorize(findCall));
  api.use(
    idempotent(async (path, c) => {
      const headers = new Headers(c.req.raw.headers);
      return app.fetch(new Request(new URL(`/api/v1${path}`, c.req.url), { headers }), c.env);
    }),
  );
  for (const each of routers) api.route("/", each);
  return api;
}

// What a signature opens, in place of a key, and what anybody may know.
function createOpen(contextOf: ContextOf): OpenAPIHono<ApiEnv> {
  const open = new OpenAPIHono<ApiEnv>();
  for (const path of ["/downloads/*", "/.well-known/*"]) {
    open.use(path, async (c, next) => {
      c.set("context", await contextOf(c.env));
      await next();
    });
  }
  open.route("/", downloadRoutes);
  open.route("/", certificateKeyRoutes);
  open.route("/", caRoutes);
  return open;
}

const nameRequest: MiddlewareHandler<ApiEnv> = async (c, next) => {
  const theirs = c.req.header("x-request-id") ?? "";
  const requestId = /^[\w-]{1,64}$/.test(theirs) ? theirs : newId({ now, random });
  const timing = startTiming(now);
  c.set("requestId", requestId);
  c.set("timing", timing);
  await next();
  c.res = new Response(c.res.body, c.res);
  c.res.headers.set("x-request-id", requestId);
  if (c.var.allowance !== undefined) writeAllowance(c.res.headers, c.var.allowance);
  const laps = timing.header();
  if (laps !== null) c.res.headers.set("server-timing", laps);
};

// Reads the body to its end, also when it is refused: a client that is still sending would find a
// broken connection in place of the answer. Some public clients name another type, or none, for
// the JSON they send.
const readBody: MiddlewareHandler<ApiEnv> = async (c, next) => {
  const { body } = c.req.raw;
  if (isStreamed(c.req)) return passBody(c, next);
  // Nothing reads a body of these; some clients send one all the same.
  if (body === null || isBodiless(c.req.method)) return passNoBody(c, next);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes <= bodyBytesMax) chunks.push(chunk);
    if (bytes > drainedBytesMax) break;
  }
  if (bytes > bodyBytesMax) {
    throw new ApiError(413, "BODY_TOO_LARGE", "The body is larger than 1 MiB.");
  }
  const headers = new Headers(c.req.raw.headers);
  // A length of 0 makes a body of what has none; whoever names JSON has forgotten it.
  if (bytes === 0 && !headers.has("content-type")) return passNoBody(c, next);
  headers.set("content-type", "application/json");
  c.req.raw = new Request(c.req.raw, { headers, body: await new Blob(chunks).arrayBuffer() });
  return next();
};

const isBodiless = (method: string) => method === "GET" || method === "HEAD";

// Some name a type on every call: where a body may be left out, there is none.
const passNoBody: MiddlewareHandler<ApiEnv> = async (c, next) => {
  const { method, url } = c.req.raw;
  const headers = new Headers(c.req.raw.headers);
  headers.delete("content-type");
  c.req.raw = new Request(url, { method, headers });
  await next();
};

function unknownPath(findCall: FindCall, { method, path }: HonoRequest): ApiError {
  try {
    findCall(method, path);
  } catch (error) {
    if (error instanceof ApiError) return error;
  }
  return new ApiError(404, "NOT_FOUND", "There is nothing at this path; see /docs.");
}
