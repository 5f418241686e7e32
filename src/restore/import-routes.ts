import { createRoute, z } from "@hono/zod-openapi";
import { invalid } from "../core/error.ts";
import { driveMilliseconds, needs, router } from "../core/route.ts";
import { dataOf, errors, IdParameters, json } from "../core/schema.ts";
import { laneOf } from "../database/create.ts";
import { findDatabase } from "../database/find.ts";
import { permit } from "../database/permit.ts";
import { limitsOf } from "../database/size.ts";
import { tooLarge } from "../dump/receive.ts";
import { findRestore } from "./find.ts";
import { importArchive } from "./import.ts";
import { Restore, renderRestore } from "./schema.ts";

/** Archives on their way in. */
export const importRoutes = router();

importRoutes.openapi(
  createRoute({
    method: "post",
    path: "/databases/{id}/imports",
    operationId: "imports.create",
    summary: "Replace a database's content by an archive of pg_dump -Fc",
    description:
      "The body is the archive itself. It is loaded beside the database and takes its place when " +
      "all of it is there: a failed import changes nothing. It is a restore in place with " +
      "`source` import: `GET /restores/:id` follows it, its undo brings back what was.",
    tags: ["restores"],
    security: needs("databases:write"),
    request: {
      params: IdParameters,
      body: {
        required: true,
        content: {
          "application/octet-stream": { schema: z.string().openapi({ format: "binary" }) },
        },
      },
    },
    responses: {
      201: json("The restore; over when its state says so", dataOf(Restore)),
      ...errors(400, 401, 403, 404, 409, 413, 422, 503),
    },
  }),
  async (c) => {
    const { context, actor, requestId } = c.var;
    const { row } = await findDatabase(context, actor, c.req.valid("param").id);
    await permit(context, row, "restore");
    const { body } = c.req.raw;
    if (body === null || c.req.header("content-type")?.includes("json") === true) {
      throw invalid("body", "send the archive itself, as application/octet-stream.");
    }
    const { storageBytesMax } = limitsOf(row);
    if (Number(c.req.header("content-length") ?? 0) > storageBytesMax) {
      throw tooLarge(storageBytesMax);
    }
    const restoreId = await importArchive(context, row, body, requestId);
    await context.drive(laneOf(row.projectId), driveMilliseconds);
    return c.json({ data: renderRestore(await findRestore(context, actor, restoreId)) }, 201);
  },
);
