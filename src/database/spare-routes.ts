import { createRoute, z } from "@hono/zod-openapi";
import { eq } from "drizzle-orm";
import { needs, router } from "../core/route.ts";
import { errors, IdParameters, json } from "../core/schema.ts";
import { findHost } from "../host/find.ts";
import { type SpareRow, spare } from "./table.ts";

/** `/admin/hosts/:id/spares`: the operator's. */
export const spareRoutes = router();

const Spare = z
  .object({
    id: z.string().openapi({ description: "The database that it becomes has the same" }),
    database: z.string().openapi({ example: "proj_k3v9q2m7xw4r5t6yabcd" }),
    state: z.enum(["making", "ready", "leaving"]),
    created_at: z.iso.datetime(),
  })
  .openapi("Spare");

function render({ id, databaseName, state, createdAt }: SpareRow): z.infer<typeof Spare> {
  return { id, database: databaseName, state, created_at: createdAt.toISOString() };
}

spareRoutes.openapi(
  createRoute({
    method: "get",
    path: "/admin/hosts/{id}/spares",
    operationId: "spares.list",
    summary: "List the spare databases of a host",
    description:
      "Complete before anybody asks: a create of the default size takes one that is ready. They " +
      "count toward the host's databases; how many there are follows the demand.",
    tags: ["admin"],
    security: needs("admin:read"),
    request: { params: IdParameters },
    responses: {
      200: json("The spares, oldest first", z.object({ data: z.array(Spare), total: z.int() })),
      ...errors(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { context } = c.var;
    const { id } = await findHost(context, c.req.valid("param").id);
    const rows = await context.db
      .select()
      .from(spare)
      .where(eq(spare.hostId, id))
      .orderBy(spare.seq);
    return c.json({ data: rows.map(render), total: rows.length }, 200);
  },
);
