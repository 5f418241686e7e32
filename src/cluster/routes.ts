import { createRoute, z } from "@hono/zod-openapi";
import { needs, router } from "../core/route.ts";
import { body, dataOf, errors, IdParameters, json } from "../core/schema.ts";
import { forgetCluster, updateCluster } from "./change.ts";
import { allClusters, findCluster } from "./find.ts";
import { registerCluster } from "./register.ts";
import { Cluster, RegisterCluster, renderCluster, UpdateCluster } from "./schema.ts";

/** `/admin/clusters`: the operator's. */
export const clusterRoutes = router();

clusterRoutes.openapi(
  createRoute({
    method: "post",
    path: "/admin/clusters",
    operationId: "clusters.register",
    summary: "Register a cluster, or tell where a known one is now",
    description:
      "It is connected to and proved first: what does not answer, is another host, or refuses " +
      "the login is 422 with the field, and changes nothing; another Postgres under a known id " +
      "is 409.",
    tags: ["admin"],
    security: needs("admin:write"),
    request: { body: body(RegisterCluster) },
    responses: {
      200: json("A known cluster, updated", dataOf(Cluster)),
      201: json("A new cluster", dataOf(Cluster)),
      ...errors(400, 401, 403, 409, 422, 503),
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

clusterRoutes.openapi(
  createRoute({
    method: "get",
    path: "/admin/clusters/{id}",
    operationId: "clusters.get",
    summary: "Get a cluster",
    tags: ["admin"],
    security: needs("admin:read"),
    request: { params: IdParameters },
    responses: { 200: json("The cluster", dataOf(Cluster)), ...errors(400, 401, 403, 404) },
  }),
  async (c) => {
    const row = await findCluster(c.var.context, c.req.valid("param").id);
    return c.json({ data: renderCluster(row) }, 200);
  },
);

clusterRoutes.openapi(
  createRoute({
    method: "patch",
    path: "/admin/clusters/{id}",
    operationId: "clusters.update",
    summary: "Change a cluster: its name, how many databases it takes, whether it takes any",
    description: "`draining` keeps new databases away from it; `active` lets them come again.",
    tags: ["admin"],
    security: needs("admin:write"),
    request: { params: IdParameters, body: body(UpdateCluster) },
    responses: {
      200: json("The cluster", dataOf(Cluster)),
      ...errors(400, 401, 403, 404, 409, 422),
    },
  }),
  async (c) => {
    const { context } = c.var;
    const row = await findCluster(context, c.req.valid("param").id);
    context.trail?.tell({ before: renderCluster(row) });
    const { databases_max: databasesMax, ...rest } = c.req.valid("json");
    await updateCluster(context, row, { ...rest, databasesMax });
    return c.json({ data: renderCluster(await findCluster(context, row.id)) }, 200);
  },
);

clusterRoutes.openapi(
  createRoute({
    method: "delete",
    path: "/admin/clusters/{id}",
    operationId: "clusters.forget",
    summary: "Forget a cluster that holds no database; nothing of it is touched",
    tags: ["admin"],
    security: needs("admin:write"),
    request: { params: IdParameters },
    responses: { 204: { description: "It is forgotten" }, ...errors(400, 401, 403, 404, 409) },
  }),
  async (c) => {
    const { context } = c.var;
    await forgetCluster(context, await findCluster(context, c.req.valid("param").id));
    return c.body(null, 204);
  },
);
