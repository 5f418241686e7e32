import { createRoute, z } from "@hono/zod-openapi";
import { findWorkspace } from "../account/find.ts";
import { requireScope } from "../core/actor.ts";
import { listEnvelope, pageOf } from "../core/page.ts";
import { router } from "../core/route.ts";
import { errors, IdParameters, json, PageParameters } from "../core/schema.ts";
import { listDatabases } from "../database/find.ts";
import { Database, renderDatabase } from "../database/schema.ts";
import { listProjects } from "./find.ts";
import { Project, renderProject } from "./schema.ts";

/** What a workspace holds. One key beside `data` at most: a public client unwraps no more. */
export const workspaceProjectRoutes = router();

function pageWith<Schema extends z.ZodType>(schema: Schema) {
  return z.object({
    data: z.array(schema),
    page: z.object({
      page: z.int(),
      page_size: z.int(),
      total: z.int(),
      next_cursor: z.string().nullable(),
    }),
  });
}

workspaceProjectRoutes.openapi(
  createRoute({
    method: "get",
    path: "/workspaces/{id}/projects",
    operationId: "workspaces.listProjects",
    summary: "List a workspace's projects, newest first",
    tags: ["workspaces"],
    request: { params: IdParameters, query: PageParameters },
    responses: {
      200: json("A page of projects", pageWith(Project)),
      ...errors(400, 401, 403, 404, 422),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    requireScope(actor, "projects:read");
    const { id } = await findWorkspace(context, actor, c.req.valid("param").id);
    const page = pageOf(c.req.valid("query"));
    const { rows, total } = await listProjects(context, actor, { workspaceId: id }, page);
    const list = listEnvelope(page, rows, total, renderProject);
    return c.json({ data: list.data, page: { ...list.page, next_cursor: list.next_cursor } }, 200);
  },
);

workspaceProjectRoutes.openapi(
  createRoute({
    method: "get",
    path: "/workspaces/{id}/databases",
    operationId: "workspaces.listDatabases",
    summary: "List a workspace's databases, newest first",
    tags: ["workspaces"],
    request: { params: IdParameters, query: PageParameters },
    responses: {
      200: json("A page of databases", pageWith(Database)),
      ...errors(400, 401, 403, 404, 422),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    requireScope(actor, "databases:read");
    const { id } = await findWorkspace(context, actor, c.req.valid("param").id);
    const page = pageOf(c.req.valid("query"));
    const { rows, total } = await listDatabases(context, actor, { workspaceId: id }, page);
    const sequenced = rows.map((each) => ({ ...each, seq: each.row.seq }));
    const list = listEnvelope(page, sequenced, total, renderDatabase);
    return c.json({ data: list.data, page: { ...list.page, next_cursor: list.next_cursor } }, 200);
  },
);
