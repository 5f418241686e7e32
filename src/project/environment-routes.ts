import { createRoute, z } from "@hono/zod-openapi";
import { needs, router } from "../core/route.ts";
import { dataOf, errors, IdParameters, json } from "../core/schema.ts";
import { findEnvironment, listEnvironments } from "../environment/find.ts";
import { Environment, renderEnvironment } from "../environment/schema.ts";
import { bootEnv } from "./boot-env.ts";
import { findProject } from "./find.ts";

/** `/projects/:id/environments`. */
export const environmentRoutes = router();

environmentRoutes.openapi(
  createRoute({
    method: "get",
    path: "/projects/{id}/environments",
    operationId: "environments.list",
    summary: "List a project's environments",
    tags: ["environments"],
    security: needs("projects:read"),
    request: { params: IdParameters },
    responses: {
      200: json("Its environments", z.object({ data: z.array(Environment), total: z.int() })),
      ...errors(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const { id } = await findProject(context, actor, c.req.valid("param").id);
    const data = (await listEnvironments(context, id)).map(renderEnvironment);
    return c.json({ data, total: data.length }, 200);
  },
);

const BootEnv = z
  .object({ environment: z.string(), env: z.record(z.string(), z.string()) })
  .openapi("BootEnv", {
    example: { environment: "staging", env: { DATABASE_URL: "postgresql://…" } },
  });

const PendingBootEnv = z.object({
  environment: z.string(),
  state: z.string(),
  operation_id: z.string().nullable(),
});

environmentRoutes.openapi(
  createRoute({
    method: "get",
    path: "/projects/{id}/environments/{name}/boot-env",
    operationId: "environments.bootEnv",
    "x-audited": true,
    summary: "Get what an instance of this environment boots with",
    description:
      "The first call for an environment makes its database. 200 comes only with the complete env.",
    tags: ["environments"],
    security: needs("databases:write"),
    request: { params: IdParameters.extend({ name: z.string().max(200) }) },
    responses: {
      200: json("The complete env", dataOf(BootEnv)),
      202: json("A database is being made; ask again", dataOf(PendingBootEnv)),
      ...errors(400, 401, 403, 404, 503),
    },
  }),
  async (c) => {
    const { context, actor, requestId, receipt } = c.var;
    const { id, name } = c.req.valid("param");
    const found = await findProject(context, actor, id);
    const environment = await findEnvironment(context, found.id, { name });
    const request = { actor, requestId, receipt };
    const result = await bootEnv(context, request, found, environment);
    c.header("Cache-Control", "no-store");
    if ("env" in result) return c.json({ data: { environment: name, env: result.env } }, 200);
    c.header("Retry-After", "1");
    const { state, operationId } = result;
    return c.json({ data: { environment: name, state, operation_id: operationId } }, 202);
  },
);
