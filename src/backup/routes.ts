import { createRoute, z } from "@hono/zod-openapi";
import { driveMilliseconds, needs, router } from "../core/route.ts";
import { body, dataOf, errors, IdParameters, json } from "../core/schema.ts";
import { laneOf } from "../database/create.ts";
import { loadForOperator } from "../database/load.ts";
import { permit } from "../database/permit.ts";
import { commitExclusively } from "../operation/find.ts";
import { backupTypes, baseBackupResource, beginBaseBackup } from "./take.ts";

/** `POST /admin/databases/:id/base-backups`: the operator's. */
export const baseBackupRoutes = router();

const NewBackup = z
  .strictObject({ type: z.enum(backupTypes).default("incr") })
  .openapi("NewBaseBackup");

const Begun = z.object({ operation_id: z.string() }).openapi("BaseBackupBegun");

baseBackupRoutes.openapi(
  createRoute({
    method: "post",
    path: "/admin/databases/{id}/base-backups",
    operationId: "databases.back_up",
    summary: "Take a base backup of a database now",
    description: "Beside those its host takes by itself; what it holds is not written again.",
    tags: ["admin"],
    security: needs("admin:write"),
    request: { params: IdParameters, body: body(NewBackup) },
    responses: {
      202: json("It has begun", dataOf(Begun)),
      ...errors(400, 401, 403, 404, 409, 422),
    },
  }),
  async (c) => {
    const { context, requestId } = c.var;
    const { row } = await loadForOperator(context, c.req.valid("param").id);
    await permit(context, row, "backup");
    const begun = beginBaseBackup(context, row, c.req.valid("json").type, requestId);
    await commitExclusively(context, [baseBackupResource(row.id)], [begun.statement]);
    await context.drive(laneOf(row.projectId), driveMilliseconds);
    return c.json({ data: { operation_id: begun.id } }, 202);
  },
);
