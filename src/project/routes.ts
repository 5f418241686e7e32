import { createRoute, z } from "@hono/zod-openapi";
import { requireScope } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { notFound } from "../core/error.ts";
import { GraceParameters, graceBody, graceOf } from "../core/grace.ts";
import type { ProjectId } from "../core/id.ts";
import { listEnvelope, pageOf } from "../core/page.ts";
import { driveMilliseconds, needs, router } from "../core/route.ts";
import {
  body,
  dataOf,
  errors,
  IdParameters,
  json,
  listOf,
  PageParameters,
  uuid,
} from "../core/schema.ts";
import { laneOf } from "../database/create.ts";
import { liveDatabases, withHosts } from "../database/find.ts";
import { renderDatabase } from "../database/schema.ts";
import { allHosts } from "../host/find.ts";
import { createProject } from "./create.ts";
import { deleteProject } from "./delete.ts";
import { findProject, listProjects, projectById } from "./find.ts";
import { renderCreated } from "./render.ts";
import {
  CreatedProject,
  CreateProject,
  Deleted,
  Project,
  ProjectWithDatabases,
  postgresOf,
  renderProject,
  UpdateProject,
  workspaceOf,
} from "./schema.ts";
import { undeleteProject } from "./undelete.ts";
import { updateProject } from "./update.ts";

/** `/projects`. */
export const projectRoutes = router();

projectRoutes.openapi(
  createRoute({
    method: "post",
    path: "/projects",
    operationId: "projects.create",
    summary: "Create a project, with a database if asked for",
    description:
      "With `data.postgres` the answer normally holds a running database, its URL works at once; " +
      "without a spare, or when the host is slow, it answers 202 while that is `provisioning`; " +
      "it finishes by itself.",
    tags: ["projects"],
    security: needs("projects:write"),
    request: { body: body(CreateProject) },
    responses: {
      201: json("The new project, whose database answers", dataOf(CreatedProject)),
      202: json("The new project, whose database is being made", dataOf(CreatedProject)),
      ...errors(400, 401, 403, 404, 409, 413, 422, 503),
    },
  }),
  async (c) => {
    const { context, actor, requestId, receipt, timing } = c.var;
    const input = c.req.valid("json");
    const postgres = postgresOf(input.data);
    if (postgres !== null) requireScope(actor, "databases:write");
    const request = { actor, requestId, receipt };
    const id = await createProject(context, request, {
      ...input,
      externalUserId: input.external_user_id,
      externalProjectId: input.external_project_id,
      workspace: workspaceOf(input),
      workspaceName: input.workspace_name,
      postgres,
    });
    timing.lap("commit");
    const { row, databases } = await readMade(context, id);
    timing.lap("drive");
    c.header("Cache-Control", "no-store");
    const data = { ...renderProject(row), databases: await renderCreated(context, databases) };
    timing.lap("render");
    const isReady = data.databases.every(({ state }) => state === "running");
    return c.json({ data }, isReady ? 201 : 202);
  },
);

projectRoutes.openapi(
  createRoute({
    method: "get",
    path: "/projects",
    operationId: "projects.list",
    summary: "List projects, newest first",
    tags: ["projects"],
    security: needs("projects:read"),
    request: {
      query: PageParameters.extend({
        state: z.enum(["active", "deleting", "deleted"]).optional(),
        workspace_id: uuid().optional(),
        external_workspace_id: z.string().max(200).optional(),
        external_user_id: z.string().max(200).optional(),
        external_project_id: z.string().max(200).optional(),
      }),
    },
    responses: { 200: json("A page of projects", listOf(Project)), ...errors(401, 403, 422) },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const query = c.req.valid("query");
    const page = pageOf(query);
    const filter = {
      state: query.state,
      workspaceId: query.workspace_id,
      externalWorkspaceId: query.external_workspace_id,
      externalUserId: query.external_user_id,
      externalProjectId: query.external_project_id,
    };
    const { rows, total } = await listProjects(context, actor, filter, page);
    return c.json(listEnvelope(page, rows, total, renderProject), 200);
  },
);

projectRoutes.openapi(
  createRoute({
    method: "get",
    path: "/projects/{id}",
    operationId: "projects.get",
    summary: "Get a project with its databases",
    tags: ["projects"],
    security: needs("projects:read"),
    request: { params: IdParameters },
    responses: {
      200: json("The project", dataOf(ProjectWithDatabases)),
      ...errors(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const { id } = await findProject(context, actor, c.req.valid("param").id);
    return c.json({ data: await renderWithDatabases(context, id) }, 200);
  },
);

projectRoutes.openapi(
  createRoute({
    method: "patch",
    path: "/projects/{id}",
    operationId: "projects.update",
    summary: "Change a project",
    tags: ["projects"],
    security: needs("projects:write"),
    request: { params: IdParameters, body: body(UpdateProject) },
    responses: {
      200: json("The project", dataOf(ProjectWithDatabases)),
      ...errors(400, 401, 403, 404, 409, 422),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const found = await findProject(context, actor, c.req.valid("param").id);
    context.trail?.tell({ before: renderProject(found.row) });
    await updateProject(context, found, c.req.valid("json"));
    return c.json({ data: await renderWithDatabases(context, found.id) }, 200);
  },
);

projectRoutes.openapi(
  createRoute({
    method: "delete",
    path: "/projects/{id}",
    operationId: "projects.delete",
    summary: "Delete a project with everything in it",
    tags: ["projects"],
    security: needs("projects:write"),
    description: "Out of reach at once; until `purge_at` it can be undeleted with its databases.",
    request: { params: IdParameters, query: GraceParameters, body: graceBody },
    responses: {
      200: json("Out of reach, and gone for good at `purge_at`", dataOf(Deleted)),
      202: json("Still under way", dataOf(Deleted)),
      204: { description: "Gone for good" },
      ...errors(400, 401, 403, 404, 409, 422),
    },
  }),
  async (c) => {
    const { context, actor, requestId } = c.var;
    const found = await findProject(context, actor, c.req.valid("param").id);
    if (found.row.hasPostgres) requireScope(actor, "databases:write");
    const graceSeconds = graceOf(c.req.valid("query"), c.req.valid("json"));
    const operation_id = await deleteProject(context, found, graceSeconds, requestId);
    await context.drive(laneOf(found.id), driveMilliseconds);
    const { row } = await readProject(context, found.id);
    if (row.state === "purged") return c.body(null, 204);
    const data = { ...renderProject(row), operation_id };
    return c.json({ data }, row.state === "deleted" ? 200 : 202);
  },
);

projectRoutes.openapi(
  createRoute({
    method: "post",
    path: "/projects/{id}/undelete",
    operationId: "projects.undelete",
    summary: "Bring a deleted project back, with the databases that were deleted with it",
    tags: ["projects"],
    security: needs("projects:write"),
    request: { params: IdParameters },
    responses: {
      200: json("The project", dataOf(ProjectWithDatabases)),
      ...errors(400, 401, 403, 404, 409),
    },
  }),
  async (c) => {
    const { context, actor, requestId } = c.var;
    const found = await findProject(context, actor, c.req.valid("param").id);
    if (found.row.hasPostgres) requireScope(actor, "databases:write");
    await undeleteProject(context, found, requestId);
    await context.drive(laneOf(found.id), driveMilliseconds);
    return c.json({ data: await renderWithDatabases(context, found.id) }, 200);
  },
);

async function renderWithDatabases(context: Context, id: ProjectId) {
  const { row, databases } = await readProject(context, id);
  return { ...renderProject(row), databases: databases.map(renderDatabase) };
}

// One that was made of a spare runs already.
async function readMade(context: Context, id: ProjectId) {
  const found = await readProject(context, id);
  if (!found.databases.some(({ row }) => row.state === "provisioning")) return found;
  await context.drive(laneOf(id), driveMilliseconds);
  return readProject(context, id);
}

async function readProject(context: Context, id: ProjectId) {
  const [[row], databases, hosts] = await context.db.batch([
    projectById(context, id),
    liveDatabases(context, id),
    allHosts(context),
  ]);
  if (row === undefined) throw notFound("project");
  return { row, databases: withHosts(databases, hosts) };
}
