import { createRoute } from "@hono/zod-openapi";
import { driveMilliseconds, needs, router } from "../core/route.ts";
import { dataOf, errors, IdParameters, json } from "../core/schema.ts";
import { laneOf } from "../database/create.ts";
import { findDatabase } from "../database/find.ts";
import { permit } from "../database/permit.ts";
import { Deleted, renderDeletion } from "../database/schema.ts";
import { beginUndelete, requireFree } from "../database/undelete.ts";
import { commitExclusively } from "../operation/find.ts";
import { moveProject } from "./change.ts";
import { findProject, requireActive } from "./find.ts";

/** `POST /databases/:id/undelete`: here, since it needs the project. */
export const databaseUndeleteRoutes = router();

databaseUndeleteRoutes.openapi(
  createRoute({
    method: "post",
    path: "/databases/{id}/undelete",
    operationId: "databases.undelete",
    summary: "Bring a deleted database back within its grace time",
    description: "Same URL, same password; one that was stopped is stopped again.",
    tags: ["databases"],
    security: needs("databases:write"),
    request: { params: IdParameters },
    responses: {
      200: json("The database as it is now", dataOf(Deleted)),
      202: json("Still under way", dataOf(Deleted)),
      ...errors(400, 401, 403, 404, 409),
    },
  }),
  async (c) => {
    const { context, actor, requestId } = c.var;
    const { id } = c.req.valid("param");
    const found = await findDatabase(context, actor, id);
    if ((await permit(context, found.row, "undelete")) === "done") {
      return c.json({ data: renderDeletion(found, null) }, 200);
    }
    const { row } = await findProject(context, actor, found.row.projectId);
    requireActive(row);
    await requireFree(context, found.row);
    const { operationId, statements } = beginUndelete(context, found.row, requestId);
    // The project is still active when this is committed.
    const isKept = moveProject(context, row, "active");
    await commitExclusively(context, [id], [...statements, isKept]);
    await context.drive(laneOf(row.id), driveMilliseconds);
    const after = await findDatabase(context, actor, id);
    const data = renderDeletion(after, operationId);
    return c.json({ data }, after.row.state === found.row.stateBeforeDelete ? 200 : 202);
  },
);
