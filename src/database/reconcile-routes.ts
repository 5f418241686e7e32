import { createRoute, z } from "@hono/zod-openapi";
import { ask } from "../cluster/ask.ts";
import { findCluster } from "../cluster/find.ts";
import { needs, router } from "../core/route.ts";
import { dataOf, errors, IdParameters, json } from "../core/schema.ts";
import { reconcileCluster } from "./reconcile.ts";

/** `POST /admin/clusters/:id/reconcile`: the operator's. */
export const reconcileRoutes = router();

const Reconciled = z
  .object({ repaired: z.int(), failed: z.int(), orphans: z.int() })
  .openapi("Reconciled");

reconcileRoutes.openapi(
  createRoute({
    method: "post",
    path: "/admin/clusters/{id}/reconcile",
    operationId: "clusters.reconcile",
    summary: "Compare a cluster with what its rows say, now",
    description:
      "Drift is repaired, unless repairs are held; what no row names is told, and put aside when " +
      "it is old enough. Nothing is dropped.",
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
    const { id } = await findCluster(context, c.req.valid("param").id);
    return c.json({ data: await ask(() => reconcileCluster(context, id)) }, 200);
  },
);
