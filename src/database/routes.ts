import { createRoute, z } from "@hono/zod-openapi";
import { listEnvelope, pageOf } from "../core/page.ts";
import { needs, router } from "../core/route.ts";
import {
  dataOf,
  errors,
  IdParameters,
  json,
  listOf,
  PageParameters,
  uuid,
} from "../core/schema.ts";
import { findDatabase, listDatabases } from "./find.ts";
import { Credentials, Database, renderCredentials, renderDatabase } from "./schema.ts";
import { databaseStates } from "./status.ts";
import { findTested } from "./suspend.ts";
import { urlsOf } from "./url.ts";

/** `/databases`, but for its creation, which needs a project. */
export const databaseRoutes = router();

const State = z.enum(databaseStates).optional();
const Filter = PageParameters.extend({
  project_id: uuid().optional(),
  workspace_id: uuid().optional(),
  environment: z.string().max(200).optional(),
  state: State,
  status: State,
  external_workspace_id: z.string().max(200).optional(),
  external_user_id: z.string().max(200).optional(),
  external_project_id: z.string().max(200).optional(),
});

databaseRoutes.openapi(
  createRoute({
    method: "get",
    path: "/databases",
    operationId: "databases.list",
    summary: "List databases, newest first",
    tags: ["databases"],
    security: needs("databases:read"),
    request: { query: Filter },
    responses: { 200: json("A page of databases", listOf(Database)), ...errors(401, 403, 422) },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const query = c.req.valid("query");
    const page = pageOf(query);
    const filter = {
      projectId: query.project_id,
      workspaceId: query.workspace_id,
      environment: query.environment,
      state: query.state ?? query.status,
      externalWorkspaceId: query.external_workspace_id,
      externalUserId: query.external_user_id,
      externalProjectId: query.external_project_id,
    };
    const { rows, total } = await listDatabases(context, actor, filter, page);
    const sequenced = rows.map((each) => ({ ...each, seq: each.row.seq }));
    return c.json(listEnvelope(page, sequenced, total, renderDatabase), 200);
  },
);

databaseRoutes.openapi(
  createRoute({
    method: "get",
    path: "/databases/{id}",
    operationId: "databases.get",
    summary: "Get a database",
    description: "Its `state` says also what it became by itself: `suspended`, or `running` again.",
    tags: ["databases"],
    security: needs("databases:read"),
    request: { params: IdParameters },
    responses: { 200: json("The database", dataOf(Database)), ...errors(400, 401, 403, 404) },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const { id } = c.req.valid("param");
    return c.json({ data: renderDatabase(await findTested(context, actor, id)) }, 200);
  },
);

databaseRoutes.openapi(
  createRoute({
    method: "get",
    path: "/databases/{id}/credentials",
    operationId: "databases.credentials",
    "x-audited": true,
    summary: "Get how to log in, whatever state it is in",
    tags: ["databases"],
    security: needs("databases:write"),
    request: { params: IdParameters },
    responses: {
      200: json("How to log in", dataOf(Credentials)),
      ...errors(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const { row, host } = await findDatabase(context, actor, c.req.valid("param").id);
    c.header("Cache-Control", "no-store");
    return c.json({ data: renderCredentials(await urlsOf(context, row, host)) }, 200);
  },
);
