import { createRoute, z } from "@hono/zod-openapi";
import { commit } from "../core/batch.ts";
import { conflict } from "../core/error.ts";
import { listEnvelope, pageOf } from "../core/page.ts";
import { driveMilliseconds, needs, router } from "../core/route.ts";
import {
  dataOf,
  errors,
  eventStream,
  IdParameters,
  json,
  listOf,
  PageParameters,
  uuid,
} from "../core/schema.ts";
import { FollowHeaders } from "../core/sse.ts";
import { requestCancel } from "./cancel.ts";
import { findOperation, listOperations } from "./find.ts";
import { Operation, renderOperation } from "./schema.ts";
import { streamOperation } from "./stream.ts";
import { operationStatuses } from "./table.ts";

/** `/operations`. */
export const operationRoutes = router();

const Filter = PageParameters.extend({
  project_id: uuid().optional(),
  database_id: uuid().optional(),
  resource_id: uuid().optional(),
  status: z.enum(operationStatuses).optional(),
  kind: z.string().max(100).optional(),
});

operationRoutes.openapi(
  createRoute({
    method: "get",
    path: "/operations",
    operationId: "operations.list",
    summary: "List operations, newest first",
    tags: ["operations"],
    security: needs("projects:read"),
    request: { query: Filter },
    responses: { 200: json("A page of operations", listOf(Operation)), ...errors(401, 403, 422) },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const query = c.req.valid("query");
    const page = pageOf(query);
    const filter = {
      projectId: query.project_id,
      resourceId: query.database_id ?? query.resource_id,
      status: query.status,
      kind: query.kind,
    };
    const { rows, total } = await listOperations(context, actor, filter, page);
    return c.json(listEnvelope(page, rows, total, renderOperation), 200);
  },
);

operationRoutes.openapi(
  createRoute({
    method: "get",
    path: "/operations/{id}",
    operationId: "operations.get",
    summary: "Get an operation",
    tags: ["operations"],
    security: needs("projects:read"),
    request: { params: IdParameters },
    responses: { 200: json("The operation", dataOf(Operation)), ...errors(400, 401, 403, 404) },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const row = await findOperation(context, actor, c.req.valid("param").id);
    return c.json({ data: renderOperation(row) }, 200);
  },
);

operationRoutes.openapi(
  createRoute({
    method: "post",
    path: "/operations/{id}/cancel",
    operationId: "operations.cancel",
    summary: "Cancel an operation: it takes back what it did",
    description: "One that is past its point of no return goes on to its end all the same.",
    tags: ["operations"],
    security: needs("databases:write"),
    request: { params: IdParameters },
    responses: {
      200: json("The operation as it is now", dataOf(Operation)),
      ...errors(400, 401, 403, 404, 409),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const row = await findOperation(context, actor, c.req.valid("param").id);
    if (row.finishedAt !== null) {
      const message = `The operation has ended: it is ${row.status}.`;
      throw conflict("OPERATION_ENDED", message, { status: row.status });
    }
    await commit(context, [requestCancel(context, row.id)]);
    await context.drive(row.lane, driveMilliseconds);
    return c.json({ data: renderOperation(await findOperation(context, actor, row.id)) }, 200);
  },
);

// Public clients know the first under the second name.
for (const name of ["stream", "events"] as const) {
  operationRoutes.openapi(
    createRoute({
      method: "get",
      path: `/operations/{id}/${name}`,
      operationId: `operations.${name}`,
      summary: "Follow an operation: its steps as they happen",
      description:
        "Server-sent events: `operation` with the operation as it is, at once and at each " +
        "change, and `done` at its end; `timeout` after ten minutes. `Last-Event-ID` is not told " +
        "twice.",
      tags: ["operations"],
      security: needs("projects:read"),
      request: { params: IdParameters, headers: FollowHeaders },
      responses: {
        200: eventStream("The operation, each time"),
        ...errors(400, 401, 403, 404, 422),
      },
    }),
    async (c) => {
      const { context, actor } = c.var;
      const { id } = c.req.valid("param");
      return streamOperation(context, actor, id, c.req.valid("header")["last-event-id"]);
    },
  );
}
