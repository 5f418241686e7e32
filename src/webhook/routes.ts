import { createRoute, z } from "@hono/zod-openapi";
import { invalid } from "../core/error.ts";
import { cursorAfter, listEnvelope, pageOf } from "../core/page.ts";
import { needs, router } from "../core/route.ts";
import { errors, json, listOf, PageParameters, uuid } from "../core/schema.ts";
import { eventTypes } from "./event.ts";
import { countEvents, followEvents, listEvents, seqOfPlace } from "./find.ts";
import { TypeGlobs } from "./follow-schema.ts";
import { Event, renderEvent } from "./schema.ts";

/** `/events`: what happened. */
export const eventRoutes = router();

const sinceProblem = "must be a time as in RFC 3339, such as 2026-11-22T12:00:00Z";

const Filter = PageParameters.extend({
  type: z.enum(eventTypes, `must be one of ${eventTypes.join(", ")}`).optional(),
  types: TypeGlobs.optional(),
  resource_id: uuid().optional(),
  database_id: uuid().optional(),
  project_id: uuid().optional(),
  since: z.iso.datetime({ offset: true, message: sinceProblem }).optional(),
  order: z.enum(["asc", "desc"], "must be asc or desc").optional(),
  after: z.string().max(200).optional().openapi({
    description: "Only events after this one, oldest first: its id, or a `next_cursor` of `asc`",
  }),
});

eventRoutes.openapi(
  createRoute({
    method: "get",
    path: "/events",
    operationId: "events.list",
    summary: "List events: newest first, or on from one of them",
    description:
      "With `order=asc` or `after`, oldest first, and `next_cursor` is never null: asked again " +
      "with it, also after an empty page, no event is missed and none comes twice.",
    tags: ["events"],
    security: needs("events:read"),
    request: { query: Filter },
    responses: { 200: json("A page of events", listOf(Event)), ...errors(401, 403, 410, 422) },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const query = c.req.valid("query");
    const page = pageOf(query);
    const filter = {
      type: query.type,
      types: query.types,
      resourceId: query.database_id ?? query.resource_id,
      projectId: query.project_id,
      since: query.since === undefined ? undefined : new Date(query.since),
    };
    const { after, order, cursor } = query;
    if (after === undefined && order !== "asc") {
      const { rows, total } = await listEvents(context, actor, filter, page);
      return c.json(listEnvelope(page, rows, total, renderEvent), 200);
    }
    if (order === "desc") throw invalid("order", "must be asc with `after`.");
    if (query.page !== undefined) throw invalid("page", "cannot be had with asc; use `cursor`.");
    const place = cursor ?? after;
    const afterSeq = place === undefined ? 0 : await seqOfPlace(context, actor, place);
    const found = await followEvents(context, actor, filter, { limit: page.limit, afterSeq });
    const total = await countEvents(context, actor, filter);
    const list = listEnvelope(page, found.rows, total, renderEvent);
    return c.json({ ...list, next_cursor: cursorAfter(found.lastSeq) }, 200);
  },
);
