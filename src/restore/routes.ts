import { createRoute, z } from "@hono/zod-openapi";
import { commit } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { conflict } from "../core/error.ts";
import { newId, opaqueName } from "../core/id.ts";
import { listEnvelope, pageOf } from "../core/page.ts";
import { driveMilliseconds, needs, router } from "../core/route.ts";
import {
  body,
  dataOf,
  errors,
  IdParameters,
  json,
  Label,
  listOf,
  PageParameters,
  Time,
} from "../core/schema.ts";
import { laneOf } from "../database/create.ts";
import { findDatabase, findRecoverable } from "../database/find.ts";
import { permit } from "../database/permit.ts";
import type { DatabaseRow } from "../database/table.ts";
import { ask } from "../host/ask.ts";
import { commitExclusively } from "../operation/find.ts";
import { beginRestore } from "./begin.ts";
import { findRestore, listRestores } from "./find.ts";
import { beginUndo } from "./in-place.ts";
import { CreateRestore, RecoveryWindow, Restore, renderRestore } from "./schema.ts";
import { restorePoint } from "./table.ts";
import { spansOf } from "./target.ts";

/** Restores, and what they are made from. */
export const restoreRoutes = router();

restoreRoutes.openapi(
  createRoute({
    method: "get",
    path: "/databases/{id}/recovery-window",
    operationId: "databases.recoveryWindow",
    summary: "From which moment to which a database can be recovered",
    description: "From what is really archived; brings `latest` to about now.",
    tags: ["restores"],
    security: needs("databases:read"),
    request: { params: IdParameters },
    responses: {
      200: json("The window", dataOf(RecoveryWindow)),
      ...errors(400, 401, 403, 404, 503),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const { row } = await findRecoverable(context, actor, c.req.valid("param").id);
    return c.json({ data: await windowOf(context, row) }, 200);
  },
);

async function windowOf(context: Context, row: DatabaseRow) {
  const own = await spansOf(context, row);
  const gaps = own.slice(1).map(({ from: to }, index) => ({ from: own[index]?.to ?? to, to }));
  const [earliest, latest] = [own[0]?.from ?? null, own.at(-1)?.to ?? null];
  return { database_id: row.id, earliest, latest, gaps };
}

restoreRoutes.openapi(
  createRoute({
    method: "post",
    path: "/databases/{id}/restore-points",
    operationId: "restorePoints.create",
    summary: "Give this moment a name to restore to",
    tags: ["restores"],
    security: needs("databases:write"),
    request: { params: IdParameters, body: body(z.strictObject({ name: Label })) },
    responses: {
      201: json(
        "The restore point",
        dataOf(z.object({ id: z.string(), name: z.string(), lsn: z.string(), at: Time })),
      ),
      ...errors(400, 401, 403, 404, 409, 422, 503),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const { row: database } = await findDatabase(context, actor, c.req.valid("param").id);
    await permit(context, database, "observe");
    const { name } = c.req.valid("json");
    const walName = opaqueName(context, 20);
    const { hostId } = database;
    const order = { database: database.databaseName, name: walName };
    const made = await ask(() => context.host.command(hostId, "restore_point.create", order));
    const id = newId(context);
    const at = new Date(made.at);
    const facts = { databaseId: database.id, name, walName, lsn: made.lsn, at };
    const row = { id, ...facts, createdAt: context.now() };
    await commit(context, [context.db.insert(restorePoint).values(row)]);
    return c.json({ data: { id, name, lsn: made.lsn, at: made.at } }, 201);
  },
);

restoreRoutes.openapi(
  createRoute({
    method: "post",
    path: "/databases/{id}/restores",
    operationId: "restores.create",
    summary: "Restore a database to a moment",
    description:
      "`mode` new (the default) makes a new database of the project; `in_place` gives this one " +
      "its former content at the same URL, and can be undone for 7 days; `preview` is read-only, " +
      "beside both, and ends after an hour; `tables` (which need not be said beside `tables`) " +
      "brings single tables back beside the living ones, each as `<name>_restored` or `as`; when " +
      "such a name is taken the restore fails with TABLE_EXISTS and copies nothing. A purged " +
      "database is restored as `new`. A base backup that turns out damaged is passed over for " +
      "another one, with the same rows in the end; `passed_over` says so.",
    tags: ["restores"],
    security: needs("databases:write"),
    request: { params: IdParameters, body: body(CreateRestore) },
    responses: {
      201: json("The restore; over when its state says so", dataOf(Restore)),
      ...errors(400, 401, 403, 404, 409, 422, 503),
    },
  }),
  async (c) => {
    const { context, actor, requestId } = c.var;
    const { id } = c.req.valid("param");
    const restoreId = await beginRestore({ context, actor, requestId }, id, c.req.valid("json"));
    return c.json({ data: renderRestore(await findRestore(context, actor, restoreId)) }, 201);
  },
);

restoreRoutes.openapi(
  createRoute({
    method: "post",
    path: "/databases/{id}/restore",
    operationId: "restores.createOlder",
    summary: "Restore a database, in an older spelling",
    tags: ["restores"],
    security: needs("databases:write"),
    request: { params: IdParameters, body: body(CreateRestore) },
    responses: {
      201: json("The restore", Restore.extend({ status: z.string() })),
      ...errors(400, 401, 403, 404, 409, 422, 503),
    },
  }),
  async (c) => {
    const { context, actor, requestId } = c.var;
    const { id } = c.req.valid("param");
    const restoreId = await beginRestore({ context, actor, requestId }, id, c.req.valid("json"));
    const made = renderRestore(await findRestore(context, actor, restoreId));
    return c.json({ ...made, status: made.state }, 201);
  },
);

restoreRoutes.openapi(
  createRoute({
    method: "get",
    path: "/databases/{id}/restores",
    operationId: "restores.list",
    summary: "List the restores of a database, newest first",
    tags: ["restores"],
    security: needs("databases:read"),
    request: { params: IdParameters, query: PageParameters },
    responses: {
      200: json("A page of restores", listOf(Restore)),
      ...errors(400, 401, 403, 404, 422),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const { row } = await findRecoverable(context, actor, c.req.valid("param").id);
    const page = pageOf(c.req.valid("query"));
    const { rows, total } = await listRestores(context, actor, row.id, page);
    return c.json(listEnvelope(page, rows, total, renderRestore), 200);
  },
);

restoreRoutes.openapi(
  createRoute({
    method: "get",
    path: "/restores/{id}",
    operationId: "restores.get",
    summary: "Get a restore",
    tags: ["restores"],
    security: needs("databases:read"),
    request: { params: IdParameters },
    responses: { 200: json("The restore", dataOf(Restore)), ...errors(400, 401, 403, 404) },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const row = await findRestore(context, actor, c.req.valid("param").id);
    return c.json({ data: renderRestore(row) }, 200);
  },
);

restoreRoutes.openapi(
  createRoute({
    method: "post",
    path: "/restores/{id}/undo",
    operationId: "restores.undo",
    summary: "Bring back what a restore in place replaced; once more restores again",
    tags: ["restores"],
    security: needs("databases:write"),
    request: { params: IdParameters },
    responses: {
      200: json("The restore as it is now", dataOf(Restore)),
      ...errors(400, 401, 403, 404, 409),
    },
  }),
  async (c) => {
    const { context, actor, requestId } = c.var;
    const found = await findRestore(context, actor, c.req.valid("param").id);
    const { id, state, mode, asideInstance, asideUntil, databaseId } = found;
    // After its week what was put aside is about to be removed.
    const isKept = asideUntil !== null && asideUntil > context.now();
    if (mode !== "in_place" || state !== "succeeded" || asideInstance === null || !isKept) {
      const message = "Only a restore in place that succeeded, in its 7 days, can be undone.";
      throw conflict("NOT_UNDOABLE", message, { state, mode });
    }
    const { row } = await findDatabase(context, actor, databaseId);
    await permit(context, row, "restore");
    const { statements } = beginUndo(context, row, { id, asideInstance }, requestId);
    await commitExclusively(context, [row.id], statements);
    await context.drive(laneOf(row.projectId), driveMilliseconds);
    return c.json({ data: renderRestore(await findRestore(context, actor, id)) }, 200);
  },
);
