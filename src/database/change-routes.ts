import { createRoute, z } from "@hono/zod-openapi";
import type { Context as HonoContext } from "hono";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { driveMilliseconds, needs, type RouteEnv, router } from "../core/route.ts";
import { body, dataOf, errors, IdParameters, json, optional } from "../core/schema.ts";
import { commitExclusively, findOperation } from "../operation/find.ts";
import { requireBackends } from "./backend.ts";
import { beginConfigure, changed, type SettingChange } from "./configure.ts";
import { laneOf } from "./create.ts";
import { findDatabase, type PlacedDatabase } from "./find.ts";
import { beginPause } from "./pause.ts";
import { permit } from "./permit.ts";
import { promoteDatabase } from "./promote.ts";
import { protectStatement } from "./protect.ts";
import { changeOfSize } from "./resize.ts";
import { beginRotate } from "./rotate.ts";
import {
  AllowedAddresses,
  Credentials,
  Database,
  renderCredentials,
  renderDatabase,
  UpdateDatabase,
} from "./schema.ts";
import { findFollowed } from "./suspend.ts";
import type { DatabaseRow } from "./table.ts";
import { urlsOf } from "./url.ts";

/** What changes a database while it lives. */
export const databaseChangeRoutes = router();

const Changed = Database.extend({ operation_id: z.string().optional() });

databaseChangeRoutes.openapi(
  createRoute({
    method: "patch",
    path: "/databases/{id}",
    operationId: "databases.update",
    summary: "Change a database: size, suspension, allowed addresses, deletion protection",
    description: "It stays in use meanwhile: no client connection is dropped.",
    tags: ["databases"],
    security: needs("databases:write"),
    request: { params: IdParameters, body: body(UpdateDatabase) },
    responses: {
      200: json("The database as it is now", dataOf(Changed)),
      202: json("The change is still under way", dataOf(Changed)),
      ...errors(400, 401, 403, 404, 409, 422, 503),
    },
  }),
  async (c) => {
    const { context, actor, requestId } = c.var;
    const { id } = c.req.valid("param");
    const { deletion_protection: isProtected, ...wanted } = c.req.valid("json");
    const found = await findDatabase(context, actor, id);
    const { row } = found;
    context.trail?.tell({ before: renderDatabase(found) });
    const statements: Statement[] = [];
    if (isProtected !== undefined) statements.push(protectStatement(context, row.id, isProtected));
    const change = await permittedChange(context, row, wanted);
    const operation = change === null ? null : beginConfigure(context, row, change, requestId);
    statements.push(...(operation?.statements ?? []));
    await commitExclusively(context, [row.id], statements);
    return answer(c, id, operation?.operationId ?? null);
  },
);

type Wanted = Partial<Omit<z.infer<typeof UpdateDatabase>, "deletion_protection">>;

/** What of a body is not so already; null when all of it is. */
function changeOf(row: DatabaseRow, wanted: Wanted): SettingChange | null {
  const { size, suspend_after_seconds: seconds, allowed_addresses: addresses } = wanted;
  const change: SettingChange = {
    ...(size === undefined || size === row.size ? {} : { size }),
    ...(seconds === undefined || seconds === row.suspendAfterSeconds
      ? {}
      : { suspendAfterSeconds: seconds }),
    ...(addresses === undefined || String(addresses) === String(row.allowedAddresses)
      ? {}
      : { allowedAddresses: addresses }),
  };
  return Object.keys(change).length === 0 ? null : change;
}

/** The same with what a size brings along, if the database's state allows any of it. */
async function permittedChange(
  context: Context,
  row: DatabaseRow,
  wanted: Wanted,
): Promise<SettingChange | null> {
  const change = changeOf(row, wanted);
  if (change === null) return null;
  await permit(context, row, change.size === undefined ? "configure" : "resize");
  if (change.size === undefined) return change;
  const sized = { ...change, ...(await changeOfSize(context, row, change.size)) };
  await requireBackends(context, row, changed(row, sized));
  return sized;
}

/** Drives what was begun, then answers the database: 202 while the operation is not over. */
async function answer(c: HonoContext<RouteEnv>, id: string, operationId: string | null) {
  const { after, isDone } = await driven(c, id, operationId);
  const data = renderDatabase(after);
  if (operationId === null) return c.json({ data }, 200);
  return c.json({ data: { ...data, operation_id: operationId } }, isDone ? 200 : 202);
}

/** A database after what was begun for it was driven for a while; null is nothing. */
async function driven(c: HonoContext<RouteEnv>, id: string, operationId: string | null) {
  const { context, actor } = c.var;
  const found = await findDatabase(context, actor, id);
  if (operationId === null) return { after: found, isDone: true };
  await context.drive(laneOf(found.row.projectId), driveMilliseconds);
  const [after, operation] = await Promise.all([
    findDatabase(context, actor, id),
    findOperation(context, actor, operationId),
  ]);
  return { after, isDone: operation.status === "succeeded" };
}

const pauses = {
  stop: {
    summary: "Stop a database: no process, no compute charge, data kept",
    description: "Clients are refused until it is started; its credentials stay.",
  },
  start: {
    summary: "Start a stopped database, or wake a suspended one",
    description: "It answers queries when this says that it runs.",
  },
  restart: {
    summary: "Restart a database: its Postgres is a new one",
    description:
      "Data, settings and credentials stay. Clients of the transaction port wait meanwhile; " +
      "sessions of the session port end.",
  },
} as const;

for (const verb of ["stop", "start", "restart"] as const) {
  databaseChangeRoutes.openapi(
    createRoute({
      method: "post",
      path: `/databases/{id}/${verb}`,
      operationId: `databases.${verb}`,
      ...pauses[verb],
      tags: ["databases"],
      security: needs("databases:write"),
      request: { params: IdParameters },
      responses: {
        200: json("The database as it is now", dataOf(Changed)),
        202: json("Still under way", dataOf(Changed)),
        ...errors(400, 401, 403, 404, 409),
      },
    }),
    async (c) => {
      const { context, actor, requestId } = c.var;
      const { id } = c.req.valid("param");
      const { row } = await findFollowed(context, actor, id);
      if ((await permit(context, row, verb)) === "done") return answer(c, id, null);
      const { operationId, statements } = beginPause(context, verb, row, requestId);
      await commitExclusively(context, [row.id], statements);
      return answer(c, id, operationId);
    },
  );
}

databaseChangeRoutes.openapi(
  createRoute({
    method: "post",
    path: "/databases/{id}/promote",
    operationId: "databases.promote",
    summary: "Make a database the primary of its environment",
    description:
      "`DATABASE_URL` of the environment is this one from now on; no client is dropped. The one " +
      "that was stays beside it, as `<NAME>_DATABASE_URL`.",
    tags: ["databases"],
    security: needs("databases:write"),
    request: { params: IdParameters },
    responses: {
      200: json("The database as it is now", dataOf(Database)),
      ...errors(400, 401, 403, 404, 409),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const { id } = c.req.valid("param");
    const { row } = await findFollowed(context, actor, id);
    await promoteDatabase(context, row);
    return c.json({ data: renderDatabase(await findDatabase(context, actor, id)) }, 200);
  },
);

const Rotate = z
  .strictObject({
    overlap_seconds: z.int("must be a whole number of seconds").min(0).max(86_400).optional(),
  })
  .openapi("RotateCredentials");

databaseChangeRoutes.openapi(
  createRoute({
    method: "post",
    path: "/databases/{id}/credentials/rotate",
    operationId: "databases.rotateCredentials",
    summary: "Rotate the credentials",
    description:
      "The answer holds the new ones. The old ones work on for `overlap_seconds` (default 300, " +
      "0 for none); then their sessions end. Of more than three old ones the oldest ends early.",
    tags: ["databases"],
    security: needs("databases:write"),
    request: {
      params: IdParameters,
      body: body(Rotate),
    },
    responses: {
      200: json("The new credentials", dataOf(Credentials.extend({ operation_id: z.string() }))),
      202: json("Still under way", dataOf(z.object({ operation_id: z.string() }))),
      ...errors(400, 401, 403, 404, 409, 422),
    },
  }),
  async (c) => {
    const { context, actor, requestId } = c.var;
    const { id } = c.req.valid("param");
    const { overlap_seconds: overlapSeconds = 300 } = c.req.valid("json") ?? {};
    const { row } = await findDatabase(context, actor, id);
    await permit(context, row, "rotate");
    const operation = await beginRotate(context, row, overlapSeconds, requestId);
    await commitExclusively(context, [row.id], operation.statements);
    await context.drive(laneOf(row.projectId), driveMilliseconds);
    const after = await findDatabase(context, actor, id);
    c.header("Cache-Control", "no-store");
    const operation_id = operation.operationId;
    if (after.row.loginRole === row.loginRole) return c.json({ data: { operation_id } }, 202);
    const urls = await urlsOf(context, after.row, after.host);
    return c.json({ data: { ...renderCredentials(urls), operation_id } }, 200);
  },
);

const PublicNetworking = z
  .object({
    enabled: z.boolean(),
    supported: z.boolean(),
    host: z.string(),
    port: z.int(),
    allowlist: z.array(z.string()),
  })
  .openapi("PublicNetworking");

function renderNetworking({ row, host: home }: PlacedDatabase): z.infer<typeof PublicNetworking> {
  const { publicHost: host, transactionPort: port } = home;
  return { enabled: true, supported: true, host, port, allowlist: row.allowedAddresses };
}

databaseChangeRoutes.openapi(
  createRoute({
    method: "get",
    path: "/databases/{id}/public-networking",
    operationId: "databases.getPublicNetworking",
    summary: "Get where a database is reached, and from where",
    tags: ["databases"],
    security: needs("databases:read"),
    request: { params: IdParameters },
    responses: {
      200: json("How it is reached", dataOf(PublicNetworking)),
      ...errors(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const found = await findDatabase(context, actor, c.req.valid("param").id);
    return c.json({ data: renderNetworking(found) }, 200);
  },
);

const SetPublicNetworking = z
  .strictObject({ allowlist: optional(AllowedAddresses) })
  .openapi("SetPublicNetworking", { example: { allowlist: ["203.0.113.0/24"] } });

const networkings = {
  post: {
    operationId: "databases.setPublicNetworking",
    summary: "Set from where a database is reached",
    description: "`allowlist` replaces `allowed_addresses`; without it, from everywhere.",
  },
  delete: {
    operationId: "databases.deletePublicNetworking",
    summary: "Let a database be reached from everywhere again",
    description: "Its allowlist is emptied. To close it to everybody, stop it.",
  },
} as const;

for (const method of ["post", "delete"] as const) {
  databaseChangeRoutes.openapi(
    createRoute({
      method,
      path: "/databases/{id}/public-networking",
      ...networkings[method],
      tags: ["databases"],
      security: needs("databases:write"),
      request: { params: IdParameters, body: body(SetPublicNetworking) },
      responses: {
        200: json("How it is reached", dataOf(PublicNetworking)),
        202: json("The change is still under way", dataOf(PublicNetworking)),
        ...errors(400, 401, 403, 404, 409, 422, 503),
      },
    }),
    async (c) => {
      const { context, actor, requestId } = c.var;
      const { id } = c.req.valid("param");
      const { allowlist = [] } = c.req.valid("json") ?? {};
      const { row } = await findDatabase(context, actor, id);
      const wanted = { allowed_addresses: method === "delete" ? [] : allowlist };
      const change = await permittedChange(context, row, wanted);
      const begun = change === null ? null : beginConfigure(context, row, change, requestId);
      await commitExclusively(context, [row.id], begun?.statements ?? []);
      const { isDone, after } = await driven(c, id, begun?.operationId ?? null);
      return c.json({ data: renderNetworking(after) }, isDone ? 200 : 202);
    },
  );
}
