import { createRoute, z } from "@hono/zod-openapi";
import { nextCursor, pageOf } from "../core/page.ts";
import { driveMilliseconds, needs, router } from "../core/route.ts";
import { body, dataOf, errors, IdParameters, json } from "../core/schema.ts";
import { attemptsOf, findDelivery, listDeliveries } from "./delivery-find.ts";
import {
  Delivery,
  DeliveryParameters,
  DeliveryQuery,
  DeliveryWithAttempts,
  ReplayDelivery,
  Replayed,
  ReplayFailed,
  renderDelivery,
  renderWithAttempts,
} from "./delivery-schema.ts";
import { findWebhook } from "./endpoint-find.ts";
import { laneOfWebhook } from "./lane.ts";
import { replay, replayFailed, replaysMax, sendTest } from "./replay.ts";

/** `/webhooks/:id/…`: what was sent to an endpoint, and is sent again. */
export const deliveryRoutes = router();

const tags = ["webhooks"];

deliveryRoutes.openapi(
  createRoute({
    method: "post",
    path: "/webhooks/{id}/test",
    operationId: "webhooks.test",
    summary: "Send a webhook an event of the type webhook.test",
    tags,
    security: needs("webhooks:write"),
    request: { params: IdParameters },
    responses: {
      200: json("The delivery; over when its state says so", dataOf(Delivery)),
      ...errors(400, 401, 403, 404, 409),
    },
  }),
  async (c) => {
    const { context, actor, receipt } = c.var;
    const row = await findWebhook(context, actor, c.req.valid("param").id);
    const id = await sendTest(context, row, receipt);
    await context.drive(laneOfWebhook(row.id), driveMilliseconds);
    return c.json({ data: renderDelivery(await findDelivery(context, row, id)) }, 200);
  },
);

deliveryRoutes.openapi(
  createRoute({
    method: "get",
    path: "/webhooks/{id}/deliveries",
    operationId: "webhooks.listDeliveries",
    summary: "List what was sent to a webhook, newest first",
    description: "Kept for 30 days. Follow `next_cursor`, or name a time in `before`.",
    tags,
    security: needs("webhooks:read"),
    request: { params: IdParameters, query: DeliveryQuery },
    responses: {
      200: json(
        "Deliveries",
        z.object({ data: z.array(Delivery), next_cursor: z.string().nullable() }),
      ),
      ...errors(400, 401, 403, 404, 422),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const row = await findWebhook(context, actor, c.req.valid("param").id);
    const { before, state, ...query } = c.req.valid("query");
    const { limit, beforeSeq } = pageOf(query);
    const since = before === undefined ? undefined : new Date(before);
    const rows = await listDeliveries(context, row, { before: since, beforeSeq, state, limit });
    return c.json({ data: rows.map(renderDelivery), next_cursor: nextCursor(limit, rows) }, 200);
  },
);

deliveryRoutes.openapi(
  createRoute({
    method: "get",
    path: "/webhooks/{id}/deliveries/{delivery_id}",
    operationId: "webhooks.getDelivery",
    summary: "Get a delivery with each of its attempts",
    tags,
    security: needs("webhooks:read"),
    request: { params: DeliveryParameters },
    responses: {
      200: json("The delivery", dataOf(DeliveryWithAttempts)),
      ...errors(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const { id, delivery_id } = c.req.valid("param");
    const row = await findDelivery(context, await findWebhook(context, actor, id), delivery_id);
    return c.json({ data: renderWithAttempts(row, await attemptsOf(context, row)) }, 200);
  },
);

deliveryRoutes.openapi(
  createRoute({
    method: "post",
    path: "/webhooks/{id}/deliveries/{delivery_id}/replay",
    operationId: "webhooks.replayDelivery",
    summary: "Send a delivery's event once more",
    description: "A new delivery with the same `event_id`, and with `replay_of`.",
    tags,
    security: needs("webhooks:write"),
    request: {
      params: DeliveryParameters,
      body: { required: false, content: { "application/json": { schema: ReplayDelivery } } },
    },
    responses: {
      202: json("The new delivery", dataOf(Delivery)),
      ...errors(400, 401, 403, 404, 409, 422),
    },
  }),
  async (c) => {
    const { context, actor, receipt } = c.var;
    const { id, delivery_id } = c.req.valid("param");
    const row = await findWebhook(context, actor, id);
    const original = await findDelivery(context, row, delivery_id);
    const asked: Partial<z.infer<typeof ReplayDelivery>> | undefined = c.req.valid("json");
    const made = await replay(context, row, original, asked?.replay_id, receipt);
    return c.json({ data: renderDelivery(await findDelivery(context, row, made)) }, 202);
  },
);

deliveryRoutes.openapi(
  createRoute({
    method: "post",
    path: "/webhooks/{id}/replay",
    operationId: "webhooks.replay",
    summary: "Send everything once more that failed for good since a time",
    description: `At most ${replaysMax} at a time; what was replayed before is left out.`,
    tags,
    security: needs("webhooks:write"),
    request: { params: IdParameters, body: body(ReplayFailed) },
    responses: {
      202: json("How many", dataOf(Replayed)),
      ...errors(400, 401, 403, 404, 409, 413, 422),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const row = await findWebhook(context, actor, c.req.valid("param").id);
    const { since } = c.req.valid("json");
    const replayed = await replayFailed(context, row, new Date(since));
    return c.json({ data: { replayed, has_more: replayed === replaysMax } }, 202);
  },
);
