// What a caller sees of its own database. Asking never wakes one that is suspended.
import { createRoute, z } from "@hono/zod-openapi";
import { notFound } from "../core/error.ts";
import { needs, router } from "../core/route.ts";
import { dataOf, errors, eventStream, IdParameters, json, uuid } from "../core/schema.ts";
import { FollowHeaders } from "../core/sse.ts";
import { ask } from "../host/ask.ts";
import { findDatabase } from "./find.ts";
import { streamLogs } from "./log-stream.ts";
import {
  LogParameters,
  Logs,
  MetricParameters,
  Metrics,
  renderLine,
  renderMetrics,
  renderSession,
  Session,
} from "./observe-schema.ts";
import { permit } from "./permit.ts";

/** Sessions, logs and metrics of a database. */
export const databaseObserveRoutes = router();

databaseObserveRoutes.openapi(
  createRoute({
    method: "get",
    path: "/databases/{id}/sessions",
    operationId: "databases.sessions",
    summary: "List the sessions of a database: what they do and what blocks them",
    tags: ["databases"],
    security: needs("databases:read"),
    request: { params: IdParameters },
    responses: {
      200: json("Its sessions, oldest first", z.object({ data: z.array(Session), total: z.int() })),
      ...errors(400, 401, 403, 404, 409, 503),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const { row } = await findDatabase(context, actor, c.req.valid("param").id);
    await permit(context, row, "observe");
    const { hostId, databaseName: database } = row;
    const { sessions } = await ask(() =>
      context.host.command(hostId, "session.list", { database }),
    );
    return c.json({ data: sessions.map(renderSession), total: sessions.length }, 200);
  },
);

const SessionParameters = z.object({
  id: uuid("is not a UUID"),
  pid: z
    .string()
    .regex(/^[1-9]\d{0,8}$/, "must be a whole number")
    .transform(Number)
    .openapi({ type: "integer", minimum: 1, maximum: 999_999_999 }),
});

const signals = {
  cancel: "Cancel the statement of a session; the session lives on",
  terminate: "End a session",
} as const;

for (const signal of ["cancel", "terminate"] as const) {
  databaseObserveRoutes.openapi(
    createRoute({
      method: "post",
      path: `/databases/{id}/sessions/{pid}/${signal}`,
      operationId: `databases.sessions.${signal}`,
      summary: signals[signal],
      tags: ["databases"],
      security: needs("databases:write"),
      request: { params: SessionParameters },
      responses: {
        200: json("Told", dataOf(z.object({ pid: z.int(), signal: z.literal(signal) }))),
        ...errors(400, 401, 403, 404, 409, 503),
      },
    }),
    async (c) => {
      const { context, actor } = c.var;
      const { id, pid } = c.req.valid("param");
      const { row } = await findDatabase(context, actor, id);
      await permit(context, row, "observe");
      const { hostId, databaseName: database } = row;
      const { is_done } = await ask(() =>
        context.host.command(hostId, "session.signal", { database, pid, signal }),
      );
      if (!is_done) throw notFound("session");
      return c.json({ data: { pid, signal } }, 200);
    },
  );
}

databaseObserveRoutes.openapi(
  createRoute({
    method: "get",
    path: "/databases/{id}/logs",
    operationId: "databases.logs",
    summary: "The last lines of the servers' logs about a database",
    tags: ["databases"],
    security: needs("databases:read"),
    request: { params: IdParameters, query: LogParameters },
    responses: {
      200: json("The lines, oldest first", Logs),
      ...errors(400, 401, 403, 404, 409, 422, 503),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const { row } = await findDatabase(context, actor, c.req.valid("param").id);
    await permit(context, row, "observe");
    const { lines = 100, since } = c.req.valid("query");
    const request = { lines, ...(since === undefined ? {} : { since }) };
    const input = { database: row.databaseName, ...request };
    const found = await ask(() => context.host.command(row.hostId, "database.logs", input));
    const logs = found.lines.map(renderLine);
    return c.json(
      { data: { database_id: row.id, logs }, lines: logs.map(({ line }) => line) },
      200,
    );
  },
);

databaseObserveRoutes.openapi(
  createRoute({
    method: "get",
    path: "/databases/{id}/logs/stream",
    operationId: "databases.logs.stream",
    summary: "Follow the servers' logs about a database",
    description:
      "Server-sent events: `log` for each line, the last `lines` (20) at first; `done` when " +
      "the database is gone; `timeout` after ten minutes. `Last-Event-ID` goes on after it.",
    tags: ["databases"],
    security: needs("databases:read"),
    request: { params: IdParameters, query: LogParameters, headers: FollowHeaders },
    responses: {
      200: eventStream("The lines as they come"),
      ...errors(400, 401, 403, 404, 409, 422, 503),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const { row } = await findDatabase(context, actor, c.req.valid("param").id);
    await permit(context, row, "observe");
    const { lines = 20, since } = c.req.valid("query");
    const { "last-event-id": lastEventId } = c.req.valid("header");
    const wanted = { lines, ...(since === undefined ? {} : { since }) };
    return streamLogs(context, actor, row, wanted, lastEventId);
  },
);

databaseObserveRoutes.openapi(
  createRoute({
    method: "get",
    path: "/databases/{id}/metrics",
    operationId: "databases.metrics",
    summary: "What a database did: transactions, errors, connections, size, cache hits",
    tags: ["databases"],
    security: needs("databases:read"),
    request: { params: IdParameters, query: MetricParameters },
    responses: {
      200: json("Series, oldest first", dataOf(Metrics)),
      ...errors(400, 401, 403, 404, 409, 422, 503),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const found = await findDatabase(context, actor, c.req.valid("param").id);
    const { row } = found;
    await permit(context, row, "observe");
    const { window } = c.req.valid("query");
    const { hostId, databaseName: database } = row;
    const input = { database, window_seconds: window.seconds };
    const { points } = await ask(() => context.host.command(hostId, "database.metrics", input));
    return c.json({ data: renderMetrics(found, window, points, context.now()) }, 200);
  },
);
