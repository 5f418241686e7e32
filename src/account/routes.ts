import { createRoute, z } from "@hono/zod-openapi";
import { requireScope } from "../core/actor.ts";
import { listEnvelope, pageOf } from "../core/page.ts";
import { router } from "../core/route.ts";
import { body, dataOf, errors, IdParameters, json, PageParameters } from "../core/schema.ts";
import { findWorkspace } from "./find.ts";
import { CreateWorkspace, renderWorkspace, UpdateWorkspace, Workspace } from "./schema.ts";
import { createWorkspace, listWorkspaces, updateWorkspace } from "./workspace.ts";

/** `/workspaces`. One key beside `data` at most: a public client unwraps no more. */
export const workspaceRoutes = router();

const WorkspacePage = z.object({
  data: z.array(Workspace),
  page: z.object({
    page: z.int(),
    page_size: z.int(),
    total: z.int(),
    next_cursor: z.string().nullable(),
  }),
});

workspaceRoutes.openapi(
  createRoute({
    method: "post",
    path: "/workspaces",
    operationId: "workspaces.create",
    summary: "Create a workspace",
    tags: ["workspaces"],
    request: { body: body(CreateWorkspace) },
    responses: {
      201: json("The new workspace", dataOf(Workspace)),
      ...errors(400, 401, 403, 409, 413, 422),
    },
  }),
  async (c) => {
    const { context, actor, receipt } = c.var;
    requireScope(actor, "workspaces:write");
    const { external_workspace_id: externalWorkspaceId, ...rest } = c.req.valid("json");
    const input = { ...rest, externalWorkspaceId };
    const id = await createWorkspace(context, actor, input, receipt);
    return c.json({ data: renderWorkspace(await findWorkspace(context, actor, id)) }, 201);
  },
);

workspaceRoutes.openapi(
  createRoute({
    method: "get",
    path: "/workspaces",
    operationId: "workspaces.list",
    summary: "List workspaces, newest first",
    tags: ["workspaces"],
    request: { query: PageParameters },
    responses: { 200: json("A page of workspaces", WorkspacePage), ...errors(401, 403, 422) },
  }),
  async (c) => {
    const { context, actor } = c.var;
    requireScope(actor, "workspaces:read");
    const page = pageOf(c.req.valid("query"));
    const { rows, total } = await listWorkspaces(context, actor, page);
    const list = listEnvelope(page, rows, total, renderWorkspace);
    const { data, next_cursor } = list;
    return c.json({ data, page: { ...list.page, next_cursor } }, 200);
  },
);

workspaceRoutes.openapi(
  createRoute({
    method: "get",
    path: "/workspaces/{id}",
    operationId: "workspaces.get",
    summary: "Get a workspace",
    tags: ["workspaces"],
    request: { params: IdParameters },
    responses: { 200: json("The workspace", dataOf(Workspace)), ...errors(400, 401, 403, 404) },
  }),
  async (c) => {
    const { context, actor } = c.var;
    requireScope(actor, "workspaces:read");
    const row = await findWorkspace(context, actor, c.req.valid("param").id);
    return c.json({ data: renderWorkspace(row) }, 200);
  },
);

workspaceRoutes.openapi(
  createRoute({
    method: "patch",
    path: "/workspaces/{id}",
    operationId: "workspaces.update",
    summary: "Change a workspace",
    tags: ["workspaces"],
    request: { params: IdParameters, body: body(UpdateWorkspace) },
    responses: {
      200: json("The workspace", dataOf(Workspace)),
      ...errors(400, 401, 403, 404, 409, 422),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    requireScope(actor, "workspaces:write");
    const { id } = c.req.valid("param");
    const found = await findWorkspace(context, actor, id);
    context.trail?.tell({ before: renderWorkspace(found) });
    await updateWorkspace(context, found, c.req.valid("json"));
    return c.json({ data: renderWorkspace(await findWorkspace(context, actor, id)) }, 200);
  },
);
