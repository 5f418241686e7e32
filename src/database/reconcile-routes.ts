import { createRoute, z } from "@hono/zod-openapi";
import { needs, router } from "../core/route.ts";
import { dataOf, errors, IdParameters, json } from "../core/schema.ts";
import { ask } from "../host/ask.ts";
import { findHost } from "../host/find.ts";
import { reconcileHost } from "./reconcile.ts";
import { checkPast } from "./spare.ts";

/** `POST /admin/hosts/:id/reconcile`: the operator's. */
export const reconcileRoutes = router();

const Reconciled = z
  .object({ repaired: z.int(), failed: z.int(), orphans: z.int() })
  .openapi("Reconciled");

reconcileRoutes.openapi(
  createRoute({
    method: "post",
    path: "/admin/hosts/{id}/reconcile",
    operationId: "hosts.reconcile",
    summary: "Compare a host with what its rows say, now",
    description:
      "Drift is repaired, unless repairs are held; what no row names is told, and stopped when " +
      "it is old enough. No tenant's database is removed.",
    tags: ["admin"],
    security: needs("admin:write"),
    request: { params: IdParameters },
    responses: {
      200: json("What was found and done", dataOf(Reconciled)),
      ...errors(400, 401, 403, 404, 503),
    },
  }),
  async (c) => {
    const { context } = c.var;
    const { id } = await findHost(context, c.req.valid("param").id);
    const look = async () => {
      await checkPast(context);
      return reconcileHost(context, id);
    };
    return c.json({ data: await ask(look) }, 200);
  },
);
