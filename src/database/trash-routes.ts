import { createRoute, z } from "@hono/zod-openapi";
import type { HostDatabase } from "../contract/database.ts";
import type { Context } from "../core/context.ts";
import { needs, router } from "../core/route.ts";
import { dataOf, errors, IdParameters, json } from "../core/schema.ts";
import { findHost } from "../host/find.ts";
import { dropTrash, findTrash, restoreTrash, trashOf } from "./trash.ts";

/** `/admin/hosts/:id/trash`: the operator's. */
export const trashRoutes = router();

const Item = z
  .object({
    name: z.string().openapi({ example: "proj_k3v9q2m7xw4r5t6yabcd" }),
    size_bytes: z.int().nullable().openapi({ description: "Its data, as the host measured it" }),
    system_identifier: z.string(),
  })
  .openapi("TrashItem");

const ItemParameters = IdParameters.extend({
  name: z.string().regex(/^[a-z][a-z0-9_]{0,62}$/, "must be the `name` of an item of the trash"),
});

function render({ database, data_bytes, system_identifier }: HostDatabase): z.infer<typeof Item> {
  return { name: database, size_bytes: data_bytes, system_identifier };
}

trashRoutes.openapi(
  createRoute({
    method: "get",
    path: "/admin/hosts/{id}/trash",
    operationId: "trash.list",
    summary: "List the stopped databases of a host that no row names",
    description: "Each stays until a person starts it again or removes it.",
    tags: ["admin"],
    security: needs("admin:read"),
    request: { params: IdParameters },
    responses: {
      200: json("The items", z.object({ data: z.array(Item), total: z.int() })),
      ...errors(400, 401, 403, 404, 503),
    },
  }),
  async (c) => {
    const { context } = c.var;
    const { id } = await findHost(context, c.req.valid("param").id);
    const data = (await trashOf(context, id)).map(render);
    return c.json({ data, total: data.length }, 200);
  },
);

async function findItem(context: Context, hostId: string, name: string): Promise<HostDatabase> {
  await findHost(context, hostId);
  const found = await findTrash(context, hostId, name);
  context.trail?.tell({ resource: { type: "trash", id: name } });
  return found;
}

trashRoutes.openapi(
  createRoute({
    method: "post",
    path: "/admin/hosts/{id}/trash/{name}/restore",
    operationId: "trash.restore",
    summary: "Start an item again",
    description: "Its clients are let in. Without a row that names it, it is an orphan again.",
    tags: ["admin"],
    security: needs("admin:write"),
    request: { params: ItemParameters },
    responses: { 200: json("The item", dataOf(Item)), ...errors(400, 401, 403, 404, 422, 503) },
  }),
  async (c) => {
    const { context } = c.var;
    const { id, name } = c.req.valid("param");
    const item = await findItem(context, id, name);
    await restoreTrash(context, id, name);
    return c.json({ data: render(item) }, 200);
  },
);

trashRoutes.openapi(
  createRoute({
    method: "delete",
    path: "/admin/hosts/{id}/trash/{name}",
    operationId: "trash.drop",
    summary: "Remove an item for good; its backups stay on the host for their window",
    tags: ["admin"],
    security: needs("admin:write"),
    request: { params: ItemParameters },
    responses: {
      204: { description: "It is gone" },
      ...errors(400, 401, 403, 404, 409, 422, 503),
    },
  }),
  async (c) => {
    const { context } = c.var;
    const { id, name } = c.req.valid("param");
    await findItem(context, id, name);
    await dropTrash(context, id, name);
    return c.body(null, 204);
  },
);
