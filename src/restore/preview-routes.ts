import { createRoute } from "@hono/zod-openapi";
import { commit } from "../core/batch.ts";
import { driveMilliseconds, needs, router } from "../core/route.ts";
import { body, dataOf, errors, eventStream, IdParameters, json } from "../core/schema.ts";
import { FollowHeaders } from "../core/sse.ts";
import { laneOf } from "../database/create.ts";
import { Credentials, renderCredentials } from "../database/schema.ts";
import { urlsOf } from "../database/url.ts";
import { requestCancel } from "../operation/cancel.ts";
import { commitExclusively, refuseBusy } from "../operation/find.ts";
import { findRestore } from "./find.ts";
import { beginEndPreview, loginOf, previewNotOpen, promotionOf } from "./preview.ts";
import { beginPromotion } from "./promote.ts";
import { PromoteRestore, Restore, renderRestore } from "./schema.ts";
import { streamRestore } from "./stream.ts";

/** What a restore is followed with, and a preview read, promoted and ended. */
export const previewRoutes = router();

previewRoutes.openapi(
  createRoute({
    method: "get",
    path: "/restores/{id}/stream",
    operationId: "restores.stream",
    summary: "Follow a restore: bytes and WAL as they come back",
    description:
      "Server-sent events: `restore` with the restore as it is, at once and at each change, and " +
      "`done` at its end; `timeout` after ten minutes. `Last-Event-ID` is not told twice.",
    tags: ["restores"],
    security: needs("databases:read"),
    request: { params: IdParameters, headers: FollowHeaders },
    responses: {
      200: eventStream("The restore, each time"),
      ...errors(400, 401, 403, 404, 422),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const { id } = c.req.valid("param");
    return streamRestore(context, actor, id, c.req.valid("header")["last-event-id"]);
  },
);

previewRoutes.openapi(
  createRoute({
    method: "get",
    path: "/restores/{id}/credentials",
    operationId: "restores.credentials",
    "x-audited": true,
    summary: "Get how to read a preview",
    description: "Its own login, through either port; it takes reads only, until `expires_at`.",
    tags: ["restores"],
    security: needs("databases:write"),
    request: { params: IdParameters },
    responses: {
      200: json("How to log in", dataOf(Credentials)),
      ...errors(400, 401, 403, 404, 409),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const row = await findRestore(context, actor, c.req.valid("param").id);
    if (row.state !== "succeeded") throw previewNotOpen(row);
    const urls = await urlsOf(context, loginOf(row));
    c.header("Cache-Control", "no-store");
    return c.json({ data: renderCredentials(urls) }, 200);
  },
);

previewRoutes.openapi(
  createRoute({
    method: "post",
    path: "/restores/{id}/promote",
    operationId: "restores.promote",
    summary: "Make a preview a new database, or the content of the one it was",
    description:
      "Loads what stands there already: nothing is recovered again. The preview can be read " +
      "until this has succeeded, and ends with it.",
    tags: ["restores"],
    security: needs("databases:write"),
    request: { params: IdParameters, body: body(PromoteRestore) },
    responses: {
      201: json("The restore it becomes; over when its state says so", dataOf(Restore)),
      ...errors(400, 401, 403, 404, 409, 422, 503),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const row = await findRestore(context, actor, c.req.valid("param").id);
    const begun = await beginPromotion(c.var, row, c.req.valid("json"));
    await commitExclusively(context, [begun.databaseId], begun.statements);
    const after = await findRestore(context, actor, begun.restoreId);
    await context.drive(laneOf(after.projectId), driveMilliseconds);
    return c.json({ data: renderRestore(await findRestore(context, actor, after.id)) }, 201);
  },
);

previewRoutes.openapi(
  createRoute({
    method: "delete",
    path: "/restores/{id}",
    operationId: "restores.end",
    summary: "End a preview",
    description: "Its clients' connections end. One that is still being recovered is given up.",
    tags: ["restores"],
    security: needs("databases:write"),
    request: { params: IdParameters },
    responses: {
      200: json("The preview as it is now", dataOf(Restore)),
      ...errors(400, 401, 403, 404, 409),
    },
  }),
  async (c) => {
    const { context, actor, requestId } = c.var;
    const row = await findRestore(context, actor, c.req.valid("param").id);
    if (row.mode !== "preview") throw previewNotOpen(row);
    if (row.endedAt === null) {
      if ((await promotionOf(context, row)) !== null) throw refuseBusy(undefined);
      const isOpen = row.state === "succeeded";
      const statements = isOpen
        ? [beginEndPreview(context, row, requestId).statement]
        : [requestCancel(context, row.operationId)];
      await (isOpen
        ? commitExclusively(context, [row.id], statements)
        : commit(context, statements));
      await context.drive(laneOf(row.projectId), driveMilliseconds);
    }
    return c.json({ data: renderRestore(await findRestore(context, actor, row.id)) }, 200);
  },
);
