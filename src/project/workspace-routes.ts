import { createRoute, z } from "@hono/zod-openapi";
import { findWorkspace } from "../account/find.ts";
import { ListMeta, renderWorkspace, Workspace } from "../account/schema.ts";
import { metaEnvelope, pageOf } from "../core/page.ts";
import { needs, router } from "../core/route.ts";
import { dataOf, errors, flag, IdParameters, json, PageParameters } from "../core/schema.ts";
import { listDatabases } from "../database/find.ts";
import { Database, renderDatabase } from "../database/schema.ts";
import { listProjects } from "./find.ts";
import { Project, renderProject } from "./schema.ts";
import { deleteWorkspace } from "./workspace-delete.ts";

/** What a workspace holds. One key beside `data` at most: a public client unwraps no more. */
export const workspaceProjectRoutes = router();

function pageWith<Schema extends z.ZodType>(schema: Schema) {
  return z.object({ data: z.array(schema), meta: ListMeta });
}

workspaceProjectRoutes.openapi(
  createRoute({
    method: "get",
    path: "/workspaces/{id}/projects",
    operationId: "workspaces.listProjects",
    summary: "List a workspace's projects, newest first",
    tags: ["workspaces"],
    security: needs("projects:read"),
    request: { params: IdParameters, query: PageParameters },
    responses: {
      200: json("A page of projects", pageWith(Project)),
      ...errors(400, 401, 403, 404, 422),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const { id } = await findWorkspace(context, actor, c.req.valid("param").id);
    const page = pageOf(c.req.valid("query"));
    const { rows, total } = await listProjects(context, actor, { workspaceId: id }, page);
    return c.json(metaEnvelope(page, rows, total, renderProject), 200);
  },
);

workspaceProjectRoutes.openapi(
  createRoute({
    method: "get",
    path: "/workspaces/{id}/databases",
    operationId: "workspaces.listDatabases",
    summary: "List a workspace's databases, newest first",
    tags: ["workspaces"],
    security: needs("databases:read"),
    request: { params: IdParameters, query: PageParameters },
    responses: {
      200: json("A page of databases", pageWith(Database)),
      ...errors(400, 401, 403, 404, 422),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const { id } = await findWorkspace(context, actor, c.req.valid("param").id);
    const page = pageOf(c.req.valid("query"));
    const { rows, total } = await listDatabases(context, actor, { workspaceId: id }, page);
    const sequenced = rows.map((each) => ({ ...each, seq: each.row.seq }));
    return c.json(metaEnvelope(page, sequenced, total, renderDatabase), 200);
  },
);

const DeletedWorkspace = Workspace.extend({
  dry_run: z.boolean(),
  deleted: z.boolean(),
  projects: z.array(z.string()).openapi({ description: "Ids of the projects that go with it" }),
}).openapi("DeletedWorkspace");

workspaceProjectRoutes.openapi(
  createRoute({
    method: "delete",
    path: "/workspaces/{id}",
    operationId: "workspaces.delete",
    summary: "Delete a workspace and revoke its API keys",
    description:
      "409 WORKSPACE_NOT_EMPTY while it has projects; with `force=true` they are deleted, and " +
      "can be undeleted for a day, which brings the workspace back. `dry_run=true` tells what " +
      "would go.",
    tags: ["workspaces"],
    security: needs("workspaces:write"),
    request: { params: IdParameters, query: z.object({ force: flag, dry_run: flag }) },
    responses: {
      200: json("What went, or would go", dataOf(DeletedWorkspace)),
      ...errors(400, 401, 403, 404, 409, 422),
    },
  }),
  async (c) => {
    const { context, actor, requestId } = c.var;
    const row = await findWorkspace(context, actor, c.req.valid("param").id);
    const { force = false, dry_run = false } = c.req.valid("query");
    const request = { actor, requestId };
    const projects = await deleteWorkspace(context, request, row, { force, dryRun: dry_run });
    const data = { ...renderWorkspace(row), dry_run, deleted: !dry_run, projects };
    return c.json({ data }, 200);
  },
);
