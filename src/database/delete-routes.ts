import { createRoute } from "@hono/zod-openapi";
import { GraceParameters, graceBody, graceOf } from "../core/grace.ts";
import { needs, router } from "../core/route.ts";
import { IdParameters } from "../core/schema.ts";
import { deleteDatabase } from "./delete.ts";
import { findDatabase } from "./find.ts";
import { deletionResponses, renderDeletion } from "./schema.ts";

/** `DELETE /databases/:id`; its undelete needs the project. */
export const databaseDeleteRoutes = router();

databaseDeleteRoutes.openapi(
  createRoute({
    method: "delete",
    path: "/databases/{id}",
    operationId: "databases.delete",
    summary: "Delete a database",
    description:
      "Connections end at once. Until `purge_at` it can be undeleted; `grace_seconds` of 0 is now.",
    tags: ["databases"],
    security: needs("databases:write"),
    request: { params: IdParameters, query: GraceParameters, body: graceBody },
    responses: deletionResponses,
  }),
  async (c) => {
    const { context, actor, requestId } = c.var;
    const { row } = await findDatabase(context, actor, c.req.valid("param").id);
    const graceSeconds = graceOf(c.req.valid("query"), c.req.valid("json"));
    const deletion = await deleteDatabase(context, row, graceSeconds, requestId);
    if (deletion.database === null) return c.body(null, 204);
    const data = renderDeletion(deletion.database, deletion.operationId);
    return c.json({ data }, data.state === "deleted" ? 200 : 202);
  },
);
