import { createRoute, z } from "@hono/zod-openapi";
import { needs, router } from "../core/route.ts";
import { body, dataOf, errors, IdParameters, json } from "../core/schema.ts";
import { forgetHost, updateHost } from "./change.ts";
import { allHosts, findHost } from "./find.ts";
import { registerHost } from "./register.ts";
import { Host, RegisterHost, renderHost, UpdateHost } from "./schema.ts";

/** `/admin/hosts`: the operator's. */
export const hostRoutes = router();

hostRoutes.openapi(
  createRoute({
    method: "post",
    path: "/admin/hosts",
    operationId: "hosts.register",
    summary: "Register a host, or tell where a known one is now",
    description:
      "It is asked and proved first: what does not answer, is another host, or does not take " +
      "our commands is 422 with the field, and changes nothing; another host under a known id " +
      "is 409.",
    tags: ["admin"],
    security: needs("admin:write"),
    request: { body: body(RegisterHost) },
    responses: {
      200: json("A known host, updated", dataOf(Host)),
      201: json("A new host", dataOf(Host)),
      ...errors(400, 401, 403, 409, 422, 503),
    },
  }),
  async (c) => {
    const { context } = c.var;
    const input = c.req.valid("json");
    const { row, isNew } = await registerHost(context, {
      id: input.id,
      name: input.name,
      hostUrl: input.host_url,
      publicHost: input.public_host,
      transactionPort: input.transaction_port,
      sessionPort: input.session_port,
      caCertificates: input.ca_certificates,
      databasesMax: input.databases_max,
      backendsMax: input.backends_max,
    });
    return c.json({ data: renderHost(row) }, isNew ? 201 : 200);
  },
);

hostRoutes.openapi(
  createRoute({
    method: "get",
    path: "/admin/hosts",
    operationId: "hosts.list",
    summary: "List the hosts",
    tags: ["admin"],
    security: needs("admin:read"),
    responses: {
      200: json("The hosts", z.object({ data: z.array(Host), total: z.int() })),
      ...errors(401, 403),
    },
  }),
  async (c) => {
    const { context } = c.var;
    const data = (await allHosts(context)).map(renderHost);
    return c.json({ data, total: data.length }, 200);
  },
);

hostRoutes.openapi(
  createRoute({
    method: "get",
    path: "/admin/hosts/{id}",
    operationId: "hosts.get",
    summary: "Get a host",
    tags: ["admin"],
    security: needs("admin:read"),
    request: { params: IdParameters },
    responses: { 200: json("The host", dataOf(Host)), ...errors(400, 401, 403, 404) },
  }),
  async (c) => {
    const row = await findHost(c.var.context, c.req.valid("param").id);
    return c.json({ data: renderHost(row) }, 200);
  },
);

hostRoutes.openapi(
  createRoute({
    method: "patch",
    path: "/admin/hosts/{id}",
    operationId: "hosts.update",
    summary: "Change a host: its name, how many databases it takes, whether it takes any",
    description: "`draining` keeps new databases away from it; `active` lets them come again.",
    tags: ["admin"],
    security: needs("admin:write"),
    request: { params: IdParameters, body: body(UpdateHost) },
    responses: {
      200: json("The host", dataOf(Host)),
      ...errors(400, 401, 403, 404, 409, 422),
    },
  }),
  async (c) => {
    const { context } = c.var;
    const row = await findHost(context, c.req.valid("param").id);
    context.trail?.tell({ before: renderHost(row) });
    const { databases_max: databasesMax, ...rest } = c.req.valid("json");
    await updateHost(context, row, { ...rest, databasesMax });
    return c.json({ data: renderHost(await findHost(context, row.id)) }, 200);
  },
);

hostRoutes.openapi(
  createRoute({
    method: "delete",
    path: "/admin/hosts/{id}",
    operationId: "hosts.forget",
    summary: "Forget a host that holds no database; nothing of it is touched",
    tags: ["admin"],
    security: needs("admin:write"),
    request: { params: IdParameters },
    responses: { 204: { description: "It is forgotten" }, ...errors(400, 401, 403, 404, 409) },
  }),
  async (c) => {
    const { context } = c.var;
    await forgetHost(context, await findHost(context, c.req.valid("param").id));
    return c.body(null, 204);
  },
);
