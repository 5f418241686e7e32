import { createRoute, type z } from "@hono/zod-openapi";
import type { Context } from "../core/context.ts";
import { listEnvelope, pageOf } from "../core/page.ts";
import { needs, router } from "../core/route.ts";
import {
  body,
  dataOf,
  errors,
  IdParameters,
  json,
  listOf,
  PageParameters,
} from "../core/schema.ts";
import { createWebhook, deleteWebhook, rotateSecret, updateWebhook } from "./endpoint.ts";
import { findWebhook, listWebhooks } from "./endpoint-find.ts";
import {
  CreateWebhook,
  EventCatalog,
  fieldsOf,
  overlapSecondsOf,
  RotateSecret,
  renderWebhook,
  UpdateWebhook,
  Webhook,
  WebhookWithSecret,
} from "./endpoint-schema.ts";
import { eventTypes } from "./event.ts";
import { eventCategories, workspaceScopedCategories } from "./filter.ts";
import type { WebhookRow } from "./table.ts";

/** `/webhooks`: where a platform is told of what happens. */
export const webhookRoutes = router();

const tags = ["webhooks"];

webhookRoutes.openapi(
  createRoute({
    method: "get",
    path: "/webhooks/events",
    operationId: "webhooks.listEvents",
    summary: "List the events there are, and how deliveries are signed",
    tags,
    security: needs("webhooks:read"),
    responses: { 200: json("The catalog", EventCatalog), ...errors(401, 403) },
  }),
  (c) => {
    const signing = {
      header: "x-miosa-signature",
      algorithm: "hmac-sha256",
      format: "sha256=<hex>",
    };
    const catalog = {
      data: eventCategories(),
      events: [...eventTypes],
      workspace_scoped_categories: workspaceScopedCategories(),
      signing,
      delivery_headers: ["x-miosa-event", "x-miosa-delivery", "x-miosa-signature"],
    };
    return c.json(catalog, 200);
  },
);

webhookRoutes.openapi(
  createRoute({
    method: "post",
    path: "/webhooks",
    operationId: "webhooks.create",
    summary: "Create a webhook",
    description:
      "It is told of what happens from now on. `secret` is shown here alone; each delivery is " +
      "signed with it as `X-Miosa-Signature`, `Miosa-Signature` and by Standard Webhooks.",
    tags,
    security: needs("webhooks:write"),
    request: { body: body(CreateWebhook) },
    responses: {
      201: json("The webhook, with its secret", dataOf(WebhookWithSecret)),
      ...errors(400, 401, 403, 404, 409, 413, 422),
    },
  }),
  async (c) => {
    const { context, actor, receipt } = c.var;
    const { url, secret, workspace_id: workspaceId, ...rest } = c.req.valid("json");
    const input = { ...fieldsOf(rest), url, secret, workspaceId };
    const made = await createWebhook(context, actor, input, receipt);
    const row = await findWebhook(context, actor, made.id);
    return c.json({ data: await withSecret(context, row, made.secret) }, 201);
  },
);

webhookRoutes.openapi(
  createRoute({
    method: "get",
    path: "/webhooks",
    operationId: "webhooks.list",
    summary: "List webhooks, newest first",
    tags,
    security: needs("webhooks:read"),
    request: { query: PageParameters },
    responses: { 200: json("A page of webhooks", listOf(Webhook)), ...errors(401, 403, 422) },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const page = pageOf(c.req.valid("query"));
    const { rows, total } = await listWebhooks(context, actor, page);
    const list = listEnvelope(page, rows, total, (row) => renderWebhook(context, row));
    return c.json({ ...list, data: await Promise.all(list.data) }, 200);
  },
);

webhookRoutes.openapi(
  createRoute({
    method: "get",
    path: "/webhooks/{id}",
    operationId: "webhooks.get",
    summary: "Get a webhook",
    tags,
    security: needs("webhooks:read"),
    request: { params: IdParameters },
    responses: { 200: json("The webhook", dataOf(Webhook)), ...errors(400, 401, 403, 404) },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const row = await findWebhook(context, actor, c.req.valid("param").id);
    return c.json({ data: await renderWebhook(context, row) }, 200);
  },
);

webhookRoutes.openapi(
  createRoute({
    method: "patch",
    path: "/webhooks/{id}",
    operationId: "webhooks.update",
    summary: "Change a webhook, pause it or resume it",
    description: "What happens while it is inactive is delivered once it is active, up to 3 days.",
    tags,
    security: needs("webhooks:write"),
    request: { params: IdParameters, body: body(UpdateWebhook) },
    responses: {
      200: json("The webhook", dataOf(Webhook)),
      ...errors(400, 401, 403, 404, 413, 422),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const row = await findWebhook(context, actor, c.req.valid("param").id);
    const { url, ...rest } = c.req.valid("json");
    context.trail?.tell({ before: await renderWebhook(context, row) });
    await updateWebhook(context, row, { ...fieldsOf(rest), url });
    const changed = await findWebhook(context, actor, row.id);
    return c.json({ data: await renderWebhook(context, changed) }, 200);
  },
);

for (const [verb, isActive] of [
  ["pause", false],
  ["resume", true],
] as const) {
  webhookRoutes.openapi(
    createRoute({
      method: "post",
      path: `/webhooks/{id}/${verb}` as const,
      operationId: `webhooks.${verb}`,
      summary: isActive ? "Resume a webhook, also one that was switched off" : "Pause a webhook",
      tags,
      security: needs("webhooks:write"),
      request: { params: IdParameters },
      responses: { 200: json("The webhook", dataOf(Webhook)), ...errors(400, 401, 403, 404) },
    }),
    async (c) => {
      const { context, actor } = c.var;
      const row = await findWebhook(context, actor, c.req.valid("param").id);
      await updateWebhook(context, row, { isActive });
      const changed = await findWebhook(context, actor, row.id);
      return c.json({ data: await renderWebhook(context, changed) }, 200);
    },
  );
}

webhookRoutes.openapi(
  createRoute({
    method: "post",
    path: "/webhooks/{id}/rotate-secret",
    operationId: "webhooks.rotateSecret",
    summary: "Give a webhook a new secret",
    description:
      "Both secrets sign for `overlap_seconds`, a day by default: `Miosa-Signature` and " +
      "`webhook-signature` hold both signatures; `X-Miosa-Signature` keeps the former one, with " +
      "the new one in `X-Miosa-Signature-Next`.",
    tags,
    security: needs("webhooks:write"),
    request: {
      params: IdParameters,
      body: { required: false, content: { "application/json": { schema: RotateSecret } } },
    },
    responses: {
      200: json("The webhook, with its new secret", dataOf(WebhookWithSecret)),
      ...errors(400, 401, 403, 404, 413, 422),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const row = await findWebhook(context, actor, c.req.valid("param").id);
    const asked: Partial<z.infer<typeof RotateSecret>> | undefined = c.req.valid("json");
    const overlapSeconds = overlapSecondsOf(asked);
    const wanted = asked?.secret === undefined ? {} : { secret: asked.secret };
    const secret = await rotateSecret(context, row, { ...wanted, overlapSeconds });
    const changed = await findWebhook(context, actor, row.id);
    return c.json({ data: await withSecret(context, changed, secret) }, 200);
  },
);

webhookRoutes.openapi(
  createRoute({
    method: "delete",
    path: "/webhooks/{id}",
    operationId: "webhooks.delete",
    summary: "Delete a webhook; nothing more is sent to it",
    tags,
    security: needs("webhooks:write"),
    request: { params: IdParameters },
    responses: { 204: { description: "It is gone" }, ...errors(400, 401, 403, 404) },
  }),
  async (c) => {
    const { context, actor } = c.var;
    await deleteWebhook(context, await findWebhook(context, actor, c.req.valid("param").id));
    return c.body(null, 204);
  },
);

async function withSecret(context: Context, row: WebhookRow, secret: string) {
  return { ...(await renderWebhook(context, row)), secret };
}
