import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "../core/context.ts";
import { needs, router } from "../core/route.ts";
import { body, dataOf, errors, json, Label, optional, Time } from "../core/schema.ts";
import { holdOf } from "./find.ts";
import { holdRepairs, releaseRepairs } from "./hold.ts";

/** `/admin/hold`: the operator's. */
export const holdRoutes = router();

const Hold = z
  .object({
    held: z.boolean(),
    reason: z.string().nullable(),
    held_since: Time.nullable(),
    held_by: z.string().nullable().openapi({ description: "Id of a key; null for the system" }),
  })
  .openapi("Hold");

const NewHold = z
  .strictObject({ reason: optional(Label) })
  .openapi("NewHold", { example: { reason: "D1 is being looked at" } });

async function render(context: Context): Promise<z.infer<typeof Hold>> {
  const hold = await holdOf(context);
  return {
    held: hold !== null,
    reason: hold?.reason ?? null,
    held_since: hold?.since.toISOString() ?? null,
    held_by: hold?.by ?? null,
  };
}

const calls = {
  get: {
    operationId: "hold.get",
    summary: "Tell whether automatic repairs are held",
    scope: "admin:read",
  },
  delete: {
    operationId: "hold.release",
    summary: "Let automatic repairs go on",
    scope: "admin:write",
  },
} as const;

for (const method of ["get", "delete"] as const) {
  const { scope, ...about } = calls[method];
  holdRoutes.openapi(
    createRoute({
      method,
      path: "/admin/hold",
      ...about,
      tags: ["admin"],
      security: needs(scope),
      responses: { 200: json("The switch as it is", dataOf(Hold)), ...errors(401, 403) },
    }),
    async (c) => {
      const { context } = c.var;
      if (method === "delete") {
        context.trail?.tell({ resource: { type: "installation", id: "hold" } });
        await releaseRepairs(context);
      }
      return c.json({ data: await render(context) }, 200);
    },
  );
}

holdRoutes.openapi(
  createRoute({
    method: "post",
    path: "/admin/hold",
    operationId: "hold.set",
    summary: "Stop every automatic repair and removal",
    description:
      "Until `DELETE`: no drift is repaired, no deleted database destroyed, no orphan, dump or " +
      "base backup removed; what is found is told. It goes on by itself where D1 was brought " +
      "back from an earlier time, or is another one than a host knew. Calls do what they do.",
    tags: ["admin"],
    security: needs("admin:write"),
    request: { body: body(NewHold) },
    responses: { 200: json("The switch as it is", dataOf(Hold)), ...errors(400, 401, 403, 422) },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const { reason = "an operator asked for it." } = c.req.valid("json") ?? {};
    context.trail?.tell({ resource: { type: "installation", id: "hold" } });
    await holdRepairs(context, reason, actor.keyId);
    return c.json({ data: await render(context) }, 200);
  },
);
