import { createRoute, z } from "@hono/zod-openapi";
import { metaEnvelope, pageOf } from "../core/page.ts";
import { needs, router } from "../core/route.ts";
import { body, errors, IdParameters, json, PageParameters } from "../core/schema.ts";
import { findWorkspace } from "./find.ts";
import {
  CreateWorkspace,
  ListMeta,
  renderAnswer,
  renderWorkspace,
  UpdateWorkspace,
  Workspace,
  WorkspaceAnswer,
} from "./schema.ts";
import { createWorkspace, listWorkspaces, updateWorkspace } from "./workspace.ts";

/** `/workspaces`. Beside `data` a list has one key at most: a public client unwraps no more. */
export const workspaceRoutes = router();

const WorkspacePage = z.object({ data: z.array(Workspace), meta: ListMeta });

workspaceRoutes.openapi(
  createRoute({
    method: "post",
    path: "/workspaces",
    operationId: "workspaces.create",
    summary: "Create a workspace",
    tags: ["workspaces"],
    security: needs("workspaces:write"),
    request: { body: body(CreateWorkspace) },
    responses: {
      200: json("The one that has this external_workspace_id", WorkspaceAnswer),
      201: json("The new workspace", WorkspaceAnswer),
      ...errors(400, 401, 403, 409, 413, 422),
    },
  }),
  async (c) => {
    const { context, actor, receipt } = c.var;
    const {
      external_workspace_id: externalWorkspaceId,
      allow_duplicate_name: mayRepeatName,
      ...rest
    } = c.req.valid("json");
    const input = { ...rest, externalWorkspaceId, mayRepeatName };
    const { id, isReused } = await createWorkspace(context, actor, input, receipt);
    const answer = renderAnswer(await findWorkspace(context, actor, id));
    return isReused ? c.json({ ...answer, reused: true }, 200) : c.json(answer, 201);
  },
);

workspaceRoutes.openapi(
  createRoute({
    method: "get",
    path: "/workspaces",
    operationId: "workspaces.list",
    summary: "List workspaces, newest first",
    tags: ["workspaces"],
    security: needs("workspaces:read"),
    request: { query: PageParameters },
    responses: { 200: json("A page of workspaces", WorkspacePage), ...errors(401, 403, 422) },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const page = pageOf(c.req.valid("query"));
    const { rows, total } = await listWorkspaces(context, actor, page);
    return c.json(metaEnvelope(page, rows, total, renderWorkspace), 200);
  },
);

workspaceRoutes.openapi(
  createRoute({
    method: "get",
    path: "/workspaces/{id}",
    operationId: "workspaces.get",
    summary: "Get a workspace",
    tags: ["workspaces"],
    security: needs("workspaces:read"),
    request: { params: IdParameters },
    responses: { 200: json("The workspace", WorkspaceAnswer), ...errors(400, 401, 403, 404) },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const row = await findWorkspace(context, actor, c.req.valid("param").id);
    return c.json(renderAnswer(row), 200);
  },
);

workspaceRoutes.openapi(
  createRoute({
    method: "patch",
    path: "/workspaces/{id}",
    operationId: "workspaces.update",
    summary: "Change a workspace",
    tags: ["workspaces"],
    security: needs("workspaces:write"),
    request: { params: IdParameters, body: body(UpdateWorkspace) },
    responses: {
      200: json("The workspace", WorkspaceAnswer),
      ...errors(400, 401, 403, 404, 409, 422),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const { id } = c.req.valid("param");
    const found = await findWorkspace(context, actor, id);
    context.trail?.tell({ before: renderWorkspace(found) });
    await updateWorkspace(context, found, c.req.valid("json"));
    return c.json(renderAnswer(await findWorkspace(context, actor, id)), 200);
  },
);
