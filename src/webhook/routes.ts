import { createRoute, z } from "@hono/zod-openapi";
import { requireScope } from "../core/actor.ts";
import { listEnvelope, pageOf } from "../core/page.ts";
import { router } from "../core/route.ts";
import { errors, json, listOf, PageParameters, uuid } from "../core/schema.ts";
import { eventTypes } from "./event.ts";
import { listEvents } from "./find.ts";
import { Event, renderEvent } from "./schema.ts";

/** `/events`: what happened. */
export const eventRoutes = router();

const sinceProblem = "must be a time as in RFC 3339, such as 2026-11-22T12:00:00Z";

const Filter = PageParameters.extend({
  type: z.enum(eventTypes, `must be one of ${eventTypes.join(", ")}`).optional(),
  resource_id: uuid().optional(),
  database_id: uuid().optional(),
  project_id: uuid().optional(),
  since: z.iso.datetime({ offset: true, message: sinceProblem }).optional(),
});

eventRoutes.openapi(
  createRoute({
    method: "get",
    path: "/events",
    operationId: "events.list",
    summary: "List events, newest first",
    tags: ["events"],
    request: { query: Filter },
    responses: { 200: json("A page of events", listOf(Event)), ...errors(401, 403, 422) },
  }),
  async (c) => {
    const { context, actor } = c.var;
    requireScope(actor, "events:read");
    const query = c.req.valid("query");
    const page = pageOf(query);
    const filter = {
      type: query.type,
      resourceId: query.database_id ?? query.resource_id,
      projectId: query.project_id,
      since: query.since === undefined ? undefined : new Date(query.since),
    };
    const { rows, total } = await listEvents(context, actor, filter, page);
    return c.json(listEnvelope(page, rows, total, renderEvent), 200);
  },
);
