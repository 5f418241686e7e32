import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "../core/context.ts";
import { notFound } from "../core/error.ts";
import type { TrashItem } from "../core/host-port.ts";
import { needs, router } from "../core/route.ts";
import { dataOf, errors, IdParameters, json } from "../core/schema.ts";
import { ask } from "./ask.ts";
import { findHost } from "./find.ts";

/** `/admin/hosts/:id/trash`: the operator's. */
export const trashRoutes = router();

const Item = z
  .object({
    name: z.string().openapi({ example: "trash_20261128_proj_k3v9q2m7xw4r5t6yabcd" }),
    kind: z.enum(["database", "role"]),
    former_name: z.string(),
    day: z.string().openapi({ description: "When it was put aside", example: "2026-11-28" }),
  })
  .openapi("TrashItem");

const ItemParameters = IdParameters.extend({
  name: z
    .string()
    .regex(/^trash_\d{8}_[a-z][a-z0-9_]{0,47}$/, "must be the `name` of an item of the trash"),
});

function render({ name, kind, formerName, day }: TrashItem): z.infer<typeof Item> {
  return { name, kind, former_name: formerName, day };
}

trashRoutes.openapi(
  createRoute({
    method: "get",
    path: "/admin/hosts/{id}/trash",
    operationId: "trash.list",
    summary: "List what no row named and was put aside",
    description: "It stays until a person brings it back or drops it.",
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
    const data = (await ask(() => context.host.trashItems(id))).map(render);
    return c.json({ data, total: data.length }, 200);
  },
);

async function findItem(context: Context, hostId: string, name: string): Promise<TrashItem> {
  await findHost(context, hostId);
  const items = await ask(() => context.host.trashItems(hostId));
  const found = items.find((item) => item.name === name);
  if (found === undefined) throw notFound("item of the trash");
  context.trail?.tell({ resource: { type: "trash", id: name } });
  return found;
}

trashRoutes.openapi(
  createRoute({
    method: "post",
    path: "/admin/hosts/{id}/trash/{name}/restore",
    operationId: "trash.restore",
    summary: "Bring an item back under its former name",
    description: "A database is open again. Without a row that names it, it is an orphan again.",
    tags: ["admin"],
    security: needs("admin:write"),
    request: { params: ItemParameters },
    responses: { 200: json("The item", dataOf(Item)), ...errors(400, 401, 403, 404, 422, 503) },
  }),
  async (c) => {
    const { context } = c.var;
    const { id, name } = c.req.valid("param");
    const item = await findItem(context, id, name);
    await ask(() => context.host.restoreTrash(id, item));
    return c.json({ data: render(item) }, 200);
  },
);

trashRoutes.openapi(
  createRoute({
    method: "delete",
    path: "/admin/hosts/{id}/trash/{name}",
    operationId: "trash.drop",
    summary: "Drop an item for good; a base backup of the last days still holds it",
    tags: ["admin"],
    security: needs("admin:write"),
    request: { params: ItemParameters },
    responses: { 204: { description: "It is gone" }, ...errors(400, 401, 403, 404, 422, 503) },
  }),
  async (c) => {
    const { context } = c.var;
    const { id, name } = c.req.valid("param");
    const item = await findItem(context, id, name);
    await ask(() => context.host.dropTrash(id, item));
    return c.body(null, 204);
  },
);
