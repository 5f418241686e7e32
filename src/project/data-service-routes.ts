import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "../core/context.ts";
import { invalid, notFound } from "../core/error.ts";
import { GraceParameters, graceBody, graceOf } from "../core/grace.ts";
import { driveMilliseconds, needs, router } from "../core/route.ts";
import { body, dataOf, errors, IdParameters, json, uuid } from "../core/schema.ts";
import { laneOf } from "../database/create.ts";
import { deleteDatabase } from "../database/delete.ts";
import { databasesOf, findDatabase } from "../database/find.ts";
import {
  CreatedDatabase,
  Database,
  deletionResponses,
  renderDatabase,
  renderDeletion,
} from "../database/schema.ts";
import { sizeFor } from "../database/size.ts";
import { findEnvironment } from "../environment/find.ts";
import { defaultEnvironment } from "../environment/name.ts";
import { type AddedDatabase, addDatabase } from "./add-database.ts";
import type { Request } from "./create.ts";
import { type FoundProject, findProject } from "./find.ts";
import { renderCreated } from "./render.ts";
import { resolveProject } from "./resolve.ts";
import { CreateDatabase, CreateDataService } from "./schema.ts";

/** `/projects/:id/data-services`, and the creation of `/databases`: both add one to a project. */
export const dataServiceRoutes = router();

dataServiceRoutes.openapi(
  createRoute({
    method: "post",
    path: "/projects/{id}/data-services",
    operationId: "dataServices.create",
    summary: "Add Postgres to a project",
    tags: ["data services"],
    security: needs("databases:write"),
    request: { params: IdParameters, body: body(CreateDataService) },
    responses: {
      201: json("The new database, which answers", dataOf(CreatedDatabase)),
      202: json("The new database, which is being made", dataOf(CreatedDatabase)),
      ...errors(400, 401, 403, 404, 409, 422, 503),
    },
  }),
  async (c) => {
    const { context, actor, requestId, receipt } = c.var;
    const found = await findProject(context, actor, c.req.valid("param").id);
    const { environment: name = defaultEnvironment, ...input } = c.req.valid("json");
    const data = await add(context, { actor, requestId, receipt }, found, {
      environment: await findEnvironment(context, found.id, { name }),
      name: input.name ?? null,
      mayBePrimary: false,
      size: input.size ?? "small",
      metadata: input.metadata,
      receiptPath: "data-services",
    });
    c.header("Cache-Control", "no-store");
    return c.json({ data }, data.state === "running" ? 201 : 202);
  },
);

dataServiceRoutes.openapi(
  createRoute({
    method: "post",
    path: "/databases",
    operationId: "databases.create",
    summary: "Create a database in a project, the default project when none is named",
    tags: ["databases"],
    security: needs("databases:write"),
    request: { body: body(CreateDatabase) },
    responses: {
      201: json("The new database, which answers", dataOf(CreatedDatabase)),
      202: json("The new database, which is being made", dataOf(CreatedDatabase)),
      ...errors(400, 401, 403, 404, 409, 413, 422, 503),
    },
  }),
  async (c) => {
    const { context, actor, requestId, receipt } = c.var;
    const input = c.req.valid("json");
    const { size_gb: gigabytes = 0 } = input;
    const storage_mb = Math.max(input.storage_mb ?? 0, gigabytes * 1024);
    const size = input.size ?? input.plan ?? sizeFor({ ...input, storage_mb });
    if (size === null) {
      const field = gigabytes > 0 ? "size_gb" : "storage_mb";
      throw invalid(field, "no size is that large; the largest is `large`");
    }
    const request = { actor, requestId, receipt };
    const found = await resolveProject(context, request, input);
    const { environment_id: id, environment: name = defaultEnvironment } = input;
    const data = await add(context, request, found, {
      environment: await findEnvironment(context, found.id, id === undefined ? { name } : { id }),
      name: input.name ?? null,
      mayBePrimary: true,
      size,
      metadata: input.metadata,
      externalUserId: input.external_user_id,
      receiptPath: "databases",
    });
    c.header("Cache-Control", "no-store");
    return c.json({ data }, data.state === "running" ? 201 : 202);
  },
);

dataServiceRoutes.openapi(
  createRoute({
    method: "get",
    path: "/projects/{id}/data-services",
    operationId: "dataServices.list",
    summary: "List a project's databases, oldest first",
    tags: ["data services"],
    security: needs("databases:read"),
    request: { params: IdParameters },
    responses: {
      200: json("Its databases", z.object({ data: z.array(Database), total: z.int() })),
      ...errors(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const { id } = await findProject(context, actor, c.req.valid("param").id);
    const data = (await databasesOf(context, id)).map(renderDatabase);
    return c.json({ data, total: data.length }, 200);
  },
);

const ServiceParameters = IdParameters.extend({ service_id: uuid("is not a UUID") });

dataServiceRoutes.openapi(
  createRoute({
    method: "get",
    path: "/projects/{id}/data-services/{service_id}",
    operationId: "dataServices.get",
    summary: "Get one of a project's databases",
    tags: ["data services"],
    security: needs("databases:read"),
    request: { params: ServiceParameters },
    responses: { 200: json("The database", dataOf(Database)), ...errors(400, 401, 403, 404) },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const { id, service_id } = c.req.valid("param");
    const project = await findProject(context, actor, id);
    const found = await findDatabase(context, actor, service_id);
    if (found.row.projectId !== project.id) throw notFound("data service");
    return c.json({ data: renderDatabase(found) }, 200);
  },
);

dataServiceRoutes.openapi(
  createRoute({
    method: "delete",
    path: "/projects/{id}/data-services/{service_id}",
    operationId: "dataServices.delete",
    summary: "Delete one of a project's databases",
    tags: ["data services"],
    security: needs("databases:write"),
    request: { params: ServiceParameters, query: GraceParameters, body: graceBody },
    responses: deletionResponses,
  }),
  async (c) => {
    const { context, actor, requestId } = c.var;
    const { id, service_id } = c.req.valid("param");
    const project = await findProject(context, actor, id);
    const { row } = await findDatabase(context, actor, service_id);
    if (row.projectId !== project.id) throw notFound("data service");
    const graceSeconds = graceOf(c.req.valid("query"), c.req.valid("json"));
    const deletion = await deleteDatabase(context, row, graceSeconds, requestId);
    if (deletion.database === null) return c.body(null, 204);
    const data = renderDeletion(deletion.database, deletion.operationId);
    return c.json({ data }, data.state === "deleted" ? 200 : 202);
  },
);

async function add(
  context: Context,
  request: Request,
  project: FoundProject,
  input: AddedDatabase,
) {
  const id = await addDatabase(context, request, project, input);
  let found = await findDatabase(context, request.actor, id);
  // One that was made of a spare runs already.
  if (found.row.state === "provisioning") {
    await context.drive(laneOf(project.id), driveMilliseconds);
    found = await findDatabase(context, request.actor, id);
  }
  const [data] = await renderCreated(context, [found]);
  if (data === undefined) throw notFound("database");
  return data;
}
