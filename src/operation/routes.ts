import { createRoute, z } from "@hono/zod-openapi";
import { requireScope } from "../core/actor.ts";
import { listEnvelope, pageOf } from "../core/page.ts";
import { router } from "../core/route.ts";
import { dataOf, errors, IdParameters, json, listOf, PageParameters } from "../core/schema.ts";
import { findOperation, listOperations } from "./find.ts";
import { Operation, renderOperation } from "./schema.ts";
import { operationStatuses } from "./table.ts";

/** `/operations`. */
export const operationRoutes = router();

const Filter = PageParameters.extend({
  project_id: z.uuid().optional(),
  database_id: z.uuid().optional(),
  resource_id: z.uuid().optional(),
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
    request: { query: Filter },
    responses: { 200: json("A page of operations", listOf(Operation)), ...errors(401, 403, 422) },
  }),
  async (c) => {
    const { context, actor } = c.var;
    requireScope(actor, "projects:read");
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
    request: { params: IdParameters },
    responses: { 200: json("The operation", dataOf(Operation)), ...errors(400, 401, 403, 404) },
  }),
  async (c) => {
    const { context, actor } = c.var;
    requireScope(actor, "projects:read");
    const row = await findOperation(context, actor, c.req.valid("param").id);
    return c.json({ data: renderOperation(row) }, 200);
  },
);
