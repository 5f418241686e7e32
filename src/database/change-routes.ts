import { createRoute, z } from "@hono/zod-openapi";
import { requireScope } from "../core/actor.ts";
import type { Statement } from "../core/batch.ts";
import { driveMilliseconds, router } from "../core/route.ts";
import { body, dataOf, errors, IdParameters, json } from "../core/schema.ts";
import { commitExclusively } from "../operation/find.ts";
import { laneOf } from "./create.ts";
import { findDatabase } from "./find.ts";
import { permit } from "./permit.ts";
import { protectStatement } from "./protect.ts";
import { beginResize } from "./resize.ts";
import { beginRotate } from "./rotate.ts";
import {
  Credentials,
  Database,
  renderCredentials,
  renderDatabase,
  UpdateDatabase,
} from "./schema.ts";
import { urlsOf } from "./url.ts";

/** What changes a database while it lives. */
export const databaseChangeRoutes = router();

const Changed = Database.extend({ operation_id: z.string().optional() });

databaseChangeRoutes.openapi(
  createRoute({
    method: "patch",
    path: "/databases/{id}",
    operationId: "databases.update",
    summary: "Change a database: its size, its deletion protection",
    description: "A resize is online: no client connection is dropped.",
    tags: ["databases"],
    request: { params: IdParameters, body: body(UpdateDatabase) },
    responses: {
      200: json("The database as it is now", dataOf(Changed)),
      202: json("A resize is still under way", dataOf(Changed)),
      ...errors(400, 401, 403, 404, 409, 422),
    },
  }),
  async (c) => {
    const { context, actor, requestId } = c.var;
    requireScope(actor, "databases:write");
    const { id } = c.req.valid("param");
    const { size, deletion_protection: isProtected } = c.req.valid("json");
    const { row } = await findDatabase(context, actor, id);
    const statements: Statement[] = [];
    if (isProtected !== undefined) statements.push(protectStatement(context, row.id, isProtected));
    const wantsResize = size !== undefined && size !== row.size;
    if (wantsResize) await permit(context, row, "resize");
    const operation = wantsResize ? await beginResize(context, row, size, requestId) : null;
    if (operation !== null) statements.push(operation.statement);
    await commitExclusively(context, [row.id], statements);
    if (operation !== null) await context.drive(laneOf(row.projectId), driveMilliseconds);
    const data = renderDatabase(await findDatabase(context, actor, id));
    if (operation === null || data.size === size) return c.json({ data }, 200);
    return c.json({ data: { ...data, operation_id: operation.id } }, 202);
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
      "0 for none); then their sessions end.",
    tags: ["databases"],
    request: {
      params: IdParameters,
      body: { content: { "application/json": { schema: Rotate } } },
    },
    responses: {
      200: json("The new credentials", dataOf(Credentials.extend({ operation_id: z.string() }))),
      202: json("Still under way", dataOf(z.object({ operation_id: z.string() }))),
      ...errors(400, 401, 403, 404, 409, 422),
    },
  }),
  async (c) => {
    const { context, actor, requestId } = c.var;
    requireScope(actor, "databases:write");
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
    const urls = await urlsOf(context, after.row, after.cluster);
    return c.json({ data: { ...renderCredentials(urls), operation_id } }, 200);
  },
);
