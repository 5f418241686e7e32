import { createRoute, z } from "@hono/zod-openapi";
import { type Actor, requireScope } from "../core/actor.ts";
import { ApiError } from "../core/error.ts";
import { cursorAfter, listEnvelope, pageOf, readCursor } from "../core/page.ts";
import { router } from "../core/route.ts";
import { errors, json, listOf, PageParameters } from "../core/schema.ts";
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
  action: z
    .string()
    .regex(/^[A-Za-z_.*]{1,100}$/, actionProblem)
    .optional(),
  resource_type: z.string().max(100).optional(),
  resource_id: z.string().max(100).optional(),
  request_id: z.string().max(100).optional(),
  since: AuditTime,
  until: AuditTime,
});

auditRoutes.openapi(
  createRoute({
    method: "get",
    path: "/audit-log",
    operationId: "auditLog.list",
    summary: "List who did what, newest first",
    description:
      "One entry for each call that changed something or gave out credentials, written with the " +
      "change itself; none for a call that was refused. `action` is the call's `operationId`. " +
      `No entry holds a secret. Kept for ${keptDays} days.`,
    tags: ["audit log"],
    request: { query: Filter },
    responses: { 200: json("A page of entries", listOf(AuditEntry)), ...errors(401, 403, 422) },
  }),
  async (c) => {
    const { context, actor } = c.var;
    requireAuditor(actor);
    const query = c.req.valid("query");
    const page = pageOf(query);
    const filter = {
      actor: query.actor,
      action: query.action,
      resourceType: query.resource_type,
      resourceId: query.resource_id,
      requestId: query.request_id,
      since: timeIn(query.since),
      until: timeIn(query.until),
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
    const afterSeq = cursor === undefined ? null : readCursor(cursor);
    const found = await verifyEntries(context, actor.organizationId, afterSeq);
    const { isComplete, upTo } = found;
    const next_cursor = isComplete || upTo === null ? null : cursorAfter(upTo.seq);
    return c.json({ data: renderVerification(found), next_cursor }, 200);
  },
);

/** @throws ApiError 403 also for a key of one workspace: the log is the whole organization's. */
function requireAuditor(actor: Actor): void {
  requireScope(actor, "audit:read");
  if (actor.workspaceId === null) return;
  const message = "This API key is bound to one workspace; the audit log is the organization's.";
  throw new ApiError(403, "FORBIDDEN", message);
}

function timeIn(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(text);
}
