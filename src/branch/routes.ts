import { createRoute } from "@hono/zod-openapi";
import { listEnvelope, pageOf } from "../core/page.ts";
import { driveMilliseconds, needs, router } from "../core/route.ts";
import {
  body,
  dataOf,
  errors,
  IdParameters,
  json,
  listOf,
  PageParameters,
} from "../core/schema.ts";
import { laneOf } from "../database/create.ts";
import { findDatabase, findRecoverable, listDatabases } from "../database/find.ts";
import { CreatedDatabase, Database, renderDatabase } from "../database/schema.ts";
import { commitExclusively } from "../operation/find.ts";
import { renderCreated } from "../project/render.ts";
import { findRestore } from "../restore/find.ts";
import { Restore, renderRestore } from "../restore/schema.ts";
import { createBranch } from "./create.ts";
import { beginPromoteBranch, sourceOf } from "./promote.ts";
import { CreateBranch } from "./schema.ts";

/** Branches of a database. */
export const branchRoutes = router();

const tags = ["branches"];

branchRoutes.openapi(
  createRoute({
    method: "post",
    path: "/databases/{id}/branches",
    operationId: "branches.create",
    summary: "Branch a database: a writable copy of it as it is, or was",
    description:
      "A database of its own with its own URL; its source goes on working. It sleeps when idle, " +
      "also in production, and is deleted without a grace time at `expires_at`, unless it is " +
      "protected from deletion by then. `…/promote` makes it the primary of its environment, " +
      "which also lifts its end; `…/promote-branch` gives its content to its source. With `at` " +
      "it is restored to that moment: `GET /databases/:id/restores` of its source follows it.",
    tags,
    security: needs("databases:write"),
    request: { params: IdParameters, body: body(CreateBranch) },
    responses: {
      201: json("The branch; its URLs once they work", dataOf(CreatedDatabase)),
      ...errors(400, 401, 403, 404, 409, 422, 503),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const branchId = await createBranch(c.var, c.req.valid("param").id, c.req.valid("json"));
    const found = await findDatabase(context, actor, branchId);
    const [data] = await renderCreated(context, [found]);
    if (data === undefined) throw new Error("The branch is not rendered.");
    c.header("Cache-Control", "no-store");
    return c.json({ data }, 201);
  },
);

branchRoutes.openapi(
  createRoute({
    method: "get",
    path: "/databases/{id}/branches",
    operationId: "branches.list",
    summary: "List the branches of a database, newest first",
    description: "Also of one that was deleted; `expires_at` says when each goes.",
    tags,
    security: needs("databases:read"),
    request: { params: IdParameters, query: PageParameters },
    responses: {
      200: json("A page of branches", listOf(Database)),
      ...errors(400, 401, 403, 404, 422),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const { row } = await findRecoverable(context, actor, c.req.valid("param").id);
    const page = pageOf(c.req.valid("query"));
    const { rows, total } = await listDatabases(context, actor, { branchOf: row.id }, page);
    const sequenced = rows.map((each) => ({ ...each, seq: each.row.seq }));
    return c.json(listEnvelope(page, sequenced, total, renderDatabase), 200);
  },
);

branchRoutes.openapi(
  createRoute({
    method: "post",
    path: "/databases/{id}/promote-branch",
    operationId: "branches.promote",
    summary: "Give a branch's content to the database it was branched from",
    description:
      "What the branch holds as this begins, at the URL of its source, whose size and logins " +
      "stay. It is a restore in place with `source` branch: `GET /restores/:id` follows it, and " +
      "its undo brings back for 7 days what was. The branch stays as it is until it expires.",
    tags,
    security: needs("databases:write"),
    request: { params: IdParameters },
    responses: {
      201: json("The restore of its source; over when its state says so", dataOf(Restore)),
      ...errors(400, 401, 403, 404, 409),
    },
  }),
  async (c) => {
    const { context, actor, requestId } = c.var;
    const { row: branch } = await findDatabase(context, actor, c.req.valid("param").id);
    const source = await sourceOf(context, actor, branch);
    const { restoreId, statements } = beginPromoteBranch(context, branch, source, requestId);
    await commitExclusively(context, [source.id], statements);
    await context.drive(laneOf(source.projectId), driveMilliseconds);
    return c.json({ data: renderRestore(await findRestore(context, actor, restoreId)) }, 201);
  },
);
