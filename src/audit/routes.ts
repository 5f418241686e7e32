import { createRoute, z } from "@hono/zod-openapi";
import { findKey } from "../account/find-key.ts";
import type { Actor } from "../core/actor.ts";
import { ApiError } from "../core/error.ts";
import { cursorAfter, listEnvelope, pageOf, readCursor } from "../core/page.ts";
import { needs, router } from "../core/route.ts";
import {
  Cursor,
  errors,
  IdParameters,
  json,
  listOf,
  PageParameters,
  uuid,
} from "../core/schema.ts";
import { listEntries } from "./find.ts";
import { keptDays } from "./keep.ts";
import { AuditEntry, AuditVerification, renderEntry, renderVerification } from "./schema.ts";
import { verifyEntries } from "./verify.ts";

/** `/audit-log`: who did what. */
export const auditRoutes = router();

const timeProblem = "must be a time as in RFC 3339, such as 2026-11-22T12:00:00Z";
const AuditTime = z.iso.datetime({ offset: true, message: timeProblem }).optional();
const actionProblem = "must be the name of a call, or a glob such as `databases.*`";

const Filter = PageParameters.extend({
  actor: z.string().max(100).optional().openapi({ description: "Id of a key, or its prefix" }),
  actor_id: z.string().max(100).optional().openapi({ description: "The same as `actor`" }),
  action: z
    .string()
    .regex(/^[A-Za-z_.*]{1,100}$/, actionProblem)
    .optional(),
  type: z
    .string()
    .regex(/^[A-Za-z_.*]{1,100}$/, actionProblem)
    .optional()
    .openapi({ description: "The same as `action`" }),
  outcome: z
    .enum(["succeeded", "refused", "replayed"], "must be succeeded, refused or replayed")
    .optional(),
  workspace_id: uuid().optional(),
  resource_type: z.string().max(100).optional(),
  resource: z.string().max(100).optional().openapi({ description: "The same as `resource_type`" }),
  resource_id: z.string().max(100).optional(),
  request_id: z.string().max(100).optional(),
  since: AuditTime,
  until: AuditTime,
  before: AuditTime.openapi({ description: "The same as `until`" }),
  after: Cursor.optional().openapi({ description: "The same as `cursor`" }),
});

auditRoutes.openapi(
  createRoute({
    method: "get",
    path: "/audit-log",
    operationId: "auditLog.list",
    summary: "List who did what, newest first",
    description:
      "One entry for each call that changed something or gave out credentials, written with the " +
      "change itself; one for each answer that was given again (`outcome` replayed), and for " +
      "each call that was refused with 401, 403 or 404. `action` is the call's `operationId`. " +
      `No entry holds a secret. Kept for ${keptDays} days.`,
    tags: ["audit log"],
    security: needs("audit:read"),
    request: { query: Filter },
    responses: { 200: json("A page of entries", listOf(AuditEntry)), ...errors(401, 403, 422) },
  }),
  async (c) => {
    const { context, actor } = c.var;
    requireAuditor(actor);
    const query = c.req.valid("query");
    const page = pageOf({ ...query, cursor: query.cursor ?? query.after });
    const filter = {
      actor: query.actor ?? query.actor_id,
      action: query.action ?? query.type,
      outcome: query.outcome,
      workspaceId: query.workspace_id,
      resourceType: query.resource_type ?? query.resource,
      resourceId: query.resource_id,
      requestId: query.request_id,
      since: timeIn(query.since),
      until: timeIn(query.until ?? query.before),
    };
    const { rows, total } = await listEntries(context, actor.organizationId, filter, page);
    return c.json(listEnvelope(page, rows, total, renderEntry), 200);
  },
);

auditRoutes.openapi(
  createRoute({
    method: "get",
    path: "/audit-log/verify",
    operationId: "auditLog.verify",
    summary: "Check that no entry was changed, added or taken away",
    description:
      "Each entry is linked to the one before it within seconds: `hash` is the SHA-256, in hex, " +
      "of `previous_hash` (64 zeros for the first), a line break, and the JSON array, without " +
      "spaces, of `id`, `tenant_id`, `actor.id`, `actor.key_prefix`, `address`, `action`, " +
      "`resource_type`, `resource_id`, `before` and `after` (each as JSON text in a string, or " +
      "null), `request_id`, `created_at`. This walks the links from the oldest on, ten " +
      "thousand a call: go on with `next_cursor` until it is null. Keep `up_to` elsewhere: as " +
      "long as that entry is listed with that hash, nothing up to it was rewritten.",
    tags: ["audit log"],
    security: needs("audit:read"),
    request: { query: PageParameters.pick({ cursor: true }) },
    responses: {
      200: json(
        "How far the links hold",
        z.object({ data: AuditVerification, next_cursor: z.string().nullable() }),
      ),
      ...errors(401, 403, 422),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    requireAuditor(actor);
    const { cursor } = c.req.valid("query");
    const afterSeq = cursor === undefined || cursor === "" ? null : readCursor(cursor);
    const found = await verifyEntries(context, actor.organizationId, afterSeq);
    const { isComplete, upTo } = found;
    const next_cursor = isComplete || upTo === null ? null : cursorAfter(upTo.seq);
    return c.json({ data: renderVerification(found), next_cursor }, 200);
  },
);

/** @throws ApiError 403 for a key of one workspace: the log is the whole organization's. */
function requireAuditor(actor: Actor): void {
  if (actor.workspaceId === null) return;
  const message = "This API key is bound to one workspace; the audit log is the organization's.";
  throw new ApiError(403, "FORBIDDEN", message);
}

function timeIn(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(text);
}

auditRoutes.openapi(
  createRoute({
    method: "get",
    path: "/api-keys/{id}/events",
    operationId: "apiKeys.listEvents",
    summary: "List what an API key did, newest first",
    description: "The entries of the audit log whose actor it is.",
    tags: ["api-keys"],
    security: needs("audit:read"),
    request: { params: IdParameters, query: PageParameters },
    responses: {
      200: json("A page of entries", listOf(AuditEntry)),
      ...errors(400, 401, 403, 404, 422),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    requireAuditor(actor);
    const key = await findKey(context, actor, c.req.valid("param").id);
    const page = pageOf(c.req.valid("query"));
    const { rows, total } = await listEntries(context, key.organizationId, { actor: key.id }, page);
    return c.json(listEnvelope(page, rows, total, renderEntry), 200);
  },
);
