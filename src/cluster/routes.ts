import { createRoute, z } from "@hono/zod-openapi";
import { needs, router } from "../core/route.ts";
import { body, dataOf, errors, json } from "../core/schema.ts";
import { allClusters } from "./find.ts";
import { registerCluster } from "./register.ts";
import { Cluster, RegisterCluster, renderCluster } from "./schema.ts";

/** `/admin/clusters`: the operator's. */
export const clusterRoutes = router();

clusterRoutes.openapi(
  createRoute({
    method: "post",
    path: "/admin/clusters",
    operationId: "clusters.register",
    summary: "Register a cluster, or tell where a known one is now",
    tags: ["admin"],
    security: needs("admin:write"),
    request: { body: body(RegisterCluster) },
    responses: {
      200: json("A known cluster, updated", dataOf(Cluster)),
      201: json("A new cluster", dataOf(Cluster)),
      ...errors(400, 401, 403, 409, 422),
    },
  }),
  async (c) => {
    const { context } = c.var;
    const input = c.req.valid("json");
    const { row, isNew } = await registerCluster(context, {
      id: input.id,
      name: input.name,
      hostUrl: input.host_url,
      publicHost: input.public_host,
      transactionPort: input.transaction_port,
      sessionPort: input.session_port,
      controlUser: input.control_user,
      controlPassword: input.control_password,
      caCertificates: input.ca_certificates,
      databasesMax: input.databases_max,
      backendsMax: input.backends_max,
    });
    return c.json({ data: renderCluster(row) }, isNew ? 201 : 200);
  },
);

clusterRoutes.openapi(
  createRoute({
    method: "get",
    path: "/admin/clusters",
    operationId: "clusters.list",
    summary: "List the clusters",
    tags: ["admin"],
    security: needs("admin:read"),
    responses: {
      200: json("The clusters", z.object({ data: z.array(Cluster), total: z.int() })),
      ...errors(401, 403),
    },
  }),
  async (c) => {
    const { context } = c.var;
    const data = (await allClusters(context)).map(renderCluster);
    return c.json({ data, total: data.length }, 200);
  },
);
