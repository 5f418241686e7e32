import { createRoute, z } from "@hono/zod-openapi";
import { findOrganization, listOrganizations } from "../account/organization.ts";
import { setPlan } from "../account/plan.ts";
import { commit } from "../core/batch.ts";
import { invalid } from "../core/error.ts";
import { driveMilliseconds, needs, router } from "../core/route.ts";
import { body, dataOf, errors, IdParameters, json } from "../core/schema.ts";
import { commitExclusively } from "../operation/find.ts";
import { requireBackends, requireBackendsOfPlan } from "./backend.ts";
import { beginConfigure } from "./configure.ts";
import { laneOf } from "./create.ts";
import { followPlans } from "./limit.ts";
import { LimitFields, limitsFrom, Organization, renderOrganization } from "./limit-schema.ts";
import { loadDatabase, loadForOperator } from "./load.ts";
import { permit } from "./permit.ts";
import { Database, renderDatabase } from "./schema.ts";
import { databaseSizes, type LimitOverrides, limitsOf } from "./size.ts";

/** `/admin` calls about limits: the operator's. */
export const databaseAdminRoutes = router();

databaseAdminRoutes.openapi(
  createRoute({
    method: "get",
    path: "/admin/organizations",
    operationId: "organizations.list",
    summary: "List organizations with their plans",
    description:
      "All of them, oldest first; a plan holds only what differs from what is published.",
    tags: ["admin"],
    security: needs("admin:read"),
    responses: {
      200: json("The organizations", z.object({ data: z.array(Organization), total: z.int() })),
      ...errors(401, 403),
    },
  }),
  async (c) => {
    const { context } = c.var;
    const data = (await listOrganizations(context)).map(renderOrganization);
    return c.json({ data, total: data.length }, 200);
  },
);

const Plan = z
  .strictObject({
    small: LimitFields.optional(),
    medium: LimitFields.optional(),
    large: LimitFields.optional(),
  })
  .openapi("Plan", { example: { small: { connections_max: 150 } } });

databaseAdminRoutes.openapi(
  createRoute({
    method: "get",
    path: "/admin/organizations/{id}/plan",
    operationId: "organizations.getPlan",
    summary: "Get an organization's plan",
    description: "By size, the limits that differ from the published ones.",
    tags: ["admin"],
    security: needs("admin:read"),
    request: { params: IdParameters },
    responses: {
      200: json("The organization", dataOf(Organization)),
      ...errors(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { context } = c.var;
    const organization = await findOrganization(context, c.req.valid("param").id);
    return c.json({ data: renderOrganization(organization) }, 200);
  },
);

databaseAdminRoutes.openapi(
  createRoute({
    method: "put",
    path: "/admin/organizations/{id}/plan",
    operationId: "organizations.setPlan",
    summary: "Give an organization other limits than the published ones",
    description:
      "By size; what is left out is as published. Its databases follow at once. 409 when a " +
      "host has too few backends left for them.",
    tags: ["admin"],
    security: needs("admin:write"),
    request: { params: IdParameters, body: body(Plan) },
    responses: {
      200: json("The organization", dataOf(Organization)),
      ...errors(400, 401, 403, 404, 409, 422),
    },
  }),
  async (c) => {
    const { context } = c.var;
    const { id } = c.req.valid("param");
    const before = renderOrganization(await findOrganization(context, id)).plan;
    context.trail?.tell({ before });
    const wanted = c.req.valid("json");
    const plan: Record<string, Record<string, number>> = {};
    for (const size of databaseSizes) {
      const limits = limitsFrom(wanted[size] ?? {});
      checkLimits(`${size}.storage_mb`, limitsOf({ size, planLimits: limits, ownLimits: {} }));
      if (Object.keys(limits).length > 0) plan[size] = limits;
    }
    await requireBackendsOfPlan(context, id, plan);
    await commit(context, [setPlan(context, id, plan)]);
    await followPlans(context);
    return c.json({ data: renderOrganization(await findOrganization(context, id)) }, 200);
  },
);

databaseAdminRoutes.openapi(
  createRoute({
    method: "patch",
    path: "/admin/databases/{id}/limits",
    operationId: "databases.setLimits",
    summary: "Give one database limits of its own",
    description:
      "They come before its plan's; null takes one back. 409 when its host has too few " +
      "backends left.",
    tags: ["admin"],
    security: needs("admin:write"),
    request: { params: IdParameters, body: body(LimitFields) },
    responses: {
      200: json("The database as it is now", dataOf(Database)),
      202: json("Still under way", dataOf(Database.extend({ operation_id: z.string() }))),
      ...errors(400, 401, 403, 404, 409, 422),
    },
  }),
  async (c) => {
    const { context, requestId } = c.var;
    const found = await loadForOperator(context, c.req.valid("param").id);
    const { row } = found;
    context.trail?.tell({ before: renderDatabase(found) });
    await permit(context, row, "configure");
    const fields = c.req.valid("json");
    const ownLimits: LimitOverrides = limitsFrom(fields, row.ownLimits);
    checkLimits("storage_mb", limitsOf({ ...row, ownLimits }));
    await requireBackends(context, row, { ...row, ownLimits });
    const { operationId, statements } = beginConfigure(context, row, { ownLimits }, requestId);
    await commitExclusively(context, [row.id], statements);
    await context.drive(laneOf(row.projectId), driveMilliseconds);
    const after = await loadDatabase(context, row.id);
    const data = renderDatabase(after);
    const isDone = JSON.stringify(after.row.ownLimits) === JSON.stringify(ownLimits);
    return isDone
      ? c.json({ data }, 200)
      : c.json({ data: { ...data, operation_id: operationId } }, 202);
  },
);

/** @throws ApiError 422 when a database would begin with more storage than it may ever have. */
function checkLimits(field: string, limits: ReturnType<typeof limitsOf>): void {
  if (limits.storageBytes <= limits.storageBytesMax) return;
  throw invalid(
    field,
    `is more than storage_mb_max (${limits.storageBytesMax / 1024 ** 2}); raise that one too.`,
  );
}
