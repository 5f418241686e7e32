import { createRoute, z } from "@hono/zod-openapi";
import { needs, router } from "../core/route.ts";
import { body, dataOf, errors, IdParameters, json } from "../core/schema.ts";
import { findHost } from "../host/find.ts";
import { backUpNow } from "./schedule.ts";
import { backupTypes } from "./table.ts";

/** `POST /admin/hosts/:id/backups`: the operator's. */
export const hostBackupRoutes = router();

const NewBackup = z
  .object({ type: z.enum(backupTypes).default("incr") })
  .strict()
  .openapi("NewHostBackup");

const Begun = z.object({ operation_id: z.string() }).openapi("HostBackupBegun");

hostBackupRoutes.openapi(
  createRoute({
    method: "post",
    path: "/admin/hosts/{id}/backups",
    operationId: "hosts.back_up",
    summary: "Take a base backup of a host now",
    description: "Beside those that are taken by schedule; what it holds is not written again.",
    tags: ["admin"],
    security: needs("admin:write"),
    request: { params: IdParameters, body: body(NewBackup) },
    responses: {
      202: json("It has begun", dataOf(Begun)),
      ...errors(400, 401, 403, 404, 409, 422, 503),
    },
  }),
  async (c) => {
    const { context } = c.var;
    const { id } = await findHost(context, c.req.valid("param").id);
    const operationId = await backUpNow(context, id, c.req.valid("json").type);
    return c.json({ data: { operation_id: operationId } }, 202);
  },
);
