import { createRoute, z } from "@hono/zod-openapi";
import { findWorkspace } from "../account/find.ts";
import { streamsMax, streamsOfKeyMax } from "../account/stream.ts";
import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { needs, router } from "../core/route.ts";
import { errors, eventStream } from "../core/schema.ts";
import { FollowHeaders } from "../core/sse.ts";
import type { EventFilter } from "./find.ts";
import { Scope, TypeGlobs } from "./follow-schema.ts";
import { streamAllEvents } from "./stream.ts";

/** `/events/stream`, under the two names public clients have for it. */
export const eventStreamRoutes = router();

const paths = [
  ["/events/stream", "events.stream"],
  ["/tenant/events/stream", "tenant.events.stream"],
] as const;

const Follow = z.object({ types: TypeGlobs.optional(), scope: Scope.optional() });

for (const [path, operationId] of paths) {
  eventStreamRoutes.openapi(
    createRoute({
      method: "get",
      path,
      operationId,
      summary: "Follow events as they happen",
      description:
        "Server-sent events: `id`, `event` and one line of JSON each, in the order they were " +
        "recorded; a comment every 15 seconds; `timeout` after ten minutes. It begins now. With " +
        "`Last-Event-ID` it goes on after that event, and nothing is missed or told twice; a " +
        "`next_cursor` of `GET /events?order=asc` does, too. 410 when that is no longer kept. " +
        "A key that is revoked or rotated is told no more, within ten seconds. " +
        `A key may have ${streamsOfKeyMax} streams open, an organization ${streamsMax}.`,
      tags: ["events"],
      security: needs("events:read"),
      request: { query: Follow, headers: FollowHeaders },
      responses: {
        200: eventStream("The events"),
        ...errors(401, 403, 404, 410, 422, 429),
      },
    }),
    async (c) => {
      const { context, actor } = c.var;
      const { types, scope = "all" } = c.req.valid("query");
      const { viewer, filter } = await narrow(context, actor, scope);
      const place = c.req.valid("header")["last-event-id"];
      return streamAllEvents(context, viewer, { ...filter, types }, place);
    },
  );
}

async function narrow(
  context: Context,
  actor: Actor,
  scope: string,
): Promise<{ readonly viewer: Actor; readonly filter: EventFilter }> {
  const [, kind, id = ""] = /^(workspace|external_user):(.+)$/.exec(scope) ?? [];
  if (kind === undefined) return { viewer: actor, filter: {} };
  if (kind === "external_user") return { viewer: actor, filter: { externalUserId: id } };
  const workspace = await findWorkspace(context, actor, id.toLowerCase());
  return { viewer: { ...actor, workspaceId: workspace.id }, filter: {} };
}
