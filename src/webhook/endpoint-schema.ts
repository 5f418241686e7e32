import { z } from "@hono/zod-openapi";
import type { Context } from "../core/context.ts";
import { Description, Label, Metadata, optional, Time, uuid } from "../core/schema.ts";
import { lengthMax } from "./address.ts";
import { filterForm, isFilter } from "./filter.ts";
import { CustomHeaders } from "./header.ts";
import { headersOf } from "./secret.ts";
import { type WebhookRow, webhookStates } from "./table.ts";

const retriesMax = 10;
const filtersMax = 100;
const overlapSecondsMax = 7 * 86_400;
const overlapSecondsDefault = 86_400;

const wholeNumberFrom0 = (max: number) => {
  const problem = `must be a whole number from 0 to ${max}`;
  return z.int(problem).min(0, problem).max(max, problem);
};

const Url = z.string("must be text").openapi({
  maxLength: lengthMax,
  example: "https://hooks.example.com/miosa",
  description: "https, a public host",
});

const Filters = z
  .array(
    z
      .string("must be text")
      .refine(isFilter, "names no event; see GET /webhooks/events, or use a glob as database.*"),
    "must be a list of names",
  )
  .max(filtersMax, `must have at most ${filtersMax} names`)
  .openapi({
    items: { type: "string", pattern: filterForm.source },
    example: ["database.running", "project.*"],
    description: "None is every event",
  });

const Secret = z
  .string("must be text")
  .min(16, "must have at least 16 characters")
  .max(256, "must have at most 256 characters")
  .regex(/^[\x21-\x7e]*$/, "must be printable ASCII without spaces");

const flag = () => optional(z.boolean("must be true or false"));

const changeable = {
  name: Label.nullish(),
  description: Description.nullish(),
  events: optional(Filters),
  headers: optional(CustomHeaders),
  retry_count: optional(wholeNumberFrom0(retriesMax)).openapi({
    type: "integer",
    minimum: 0,
    maximum: retriesMax,
    default: 3,
    description: "Attempts after the first; ten span more than a day",
  }),
  metadata: optional(Metadata),
  enabled: flag(),
  active: flag(),
  state: optional(z.enum(["active", "inactive"], "must be active or inactive")),
};

type Flags = Pick<z.infer<z.ZodObject<typeof changeable>>, "enabled" | "active" | "state">;

/** Whether it is to be active, in any of three spellings; undefined when none is given. */
function activityOf({ enabled, active, state }: Flags): boolean | undefined {
  return active ?? enabled ?? (state === undefined ? undefined : state === "active");
}

function agrees({ enabled, active, state }: Flags): boolean {
  const given = [enabled, active, state === undefined ? undefined : state === "active"];
  return new Set(given.filter((each) => each !== undefined)).size <= 1;
}

const disagreement = { path: ["state"], message: "must say the same as active and enabled" };

/** Body of `webhooks.create`. */
export const CreateWebhook = z
  .strictObject({
    url: Url,
    ...changeable,
    secret: optional(Secret),
    workspace_id: optional(uuid()),
  })
  .refine(agrees, disagreement)
  .openapi("CreateWebhook", {
    example: { url: "https://hooks.example.com/miosa", events: ["database.*"] },
  });

/** Body of `webhooks.update`. */
export const UpdateWebhook = z
  .strictObject({ url: optional(Url), ...changeable })
  .refine(agrees, disagreement)
  .openapi("UpdateWebhook", { example: { events: ["database.running"], retry_count: 10 } });

/** The fields of either, as verbs take them. */
export function fieldsOf(body: Omit<z.infer<typeof UpdateWebhook>, "url">) {
  const { name, description, events, headers, metadata, retry_count: retryCount } = body;
  const isActive = activityOf(body);
  return { name, description, events, headers, metadata, retryCount, isActive };
}

/** Body of `webhooks.rotateSecret`. */
export const RotateSecret = z
  .strictObject({
    secret: optional(Secret),
    overlap_seconds: optional(wholeNumberFrom0(overlapSecondsMax)).openapi({
      type: "integer",
      minimum: 0,
      maximum: overlapSecondsMax,
      default: overlapSecondsDefault,
    }),
  })
  .openapi("RotateSecret");

/** How long two secrets sign when nothing else is said: a day. */
export const overlapSecondsOf = (body: Partial<z.infer<typeof RotateSecret>> | undefined) =>
  body?.overlap_seconds ?? overlapSecondsDefault;

/** An endpoint as it is answered. */
export const Webhook = z
  .object({
    id: z.string(),
    tenant_id: z.string(),
    workspace_id: z.string().nullable(),
    name: z.string().nullable(),
    description: z.string().nullable(),
    url: z.string(),
    events: z.array(z.string()),
    state: z.enum(webhookStates),
    active: z.boolean(),
    enabled: z.boolean(),
    headers: z.record(z.string(), z.string()),
    retry_count: z.int(),
    failure_count: z.int().openapi({ description: "Failed attempts since one succeeded" }),
    failing_since: Time.nullable(),
    last_triggered_at: Time.nullable(),
    last_status_code: z.int().nullable(),
    metadata: z.record(z.string(), z.unknown()),
    secret_preview: z.string(),
    former_secret_expires_at: Time.nullable(),
    created_at: Time,
    updated_at: Time,
  })
  .openapi("Webhook");

/** The same with its secret, which is shown once. */
export const WebhookWithSecret = Webhook.extend({ secret: z.string() }).openapi(
  "WebhookWithSecret",
);

/** Renders a row. */
export async function renderWebhook(
  context: Context,
  row: WebhookRow,
): Promise<z.infer<typeof Webhook>> {
  const { formerSecretUntil: until } = row;
  const overlaps = until !== null && until > context.now();
  return {
    id: row.id,
    tenant_id: row.organizationId,
    workspace_id: row.workspaceId,
    name: row.name,
    description: row.description,
    url: row.url,
    events: [...row.events],
    state: row.state,
    active: row.state === "active",
    enabled: row.state === "active",
    headers: await headersOf(context, row),
    retry_count: row.retryCount,
    failure_count: row.failureCount,
    failing_since: row.failingSince?.toISOString() ?? null,
    last_triggered_at: row.lastTriggeredAt?.toISOString() ?? null,
    last_status_code: row.lastStatusCode,
    metadata: row.metadata,
    secret_preview: row.secretPreview,
    former_secret_expires_at: overlaps ? until.toISOString() : null,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

/** What there is to listen to, and how deliveries are signed. */
export const EventCatalog = z
  .object({
    data: z.record(z.string(), z.array(z.string())),
    events: z.array(z.string()),
    workspace_scoped_categories: z.array(z.string()),
    signing: z.object({ header: z.string(), algorithm: z.string(), format: z.string() }),
    delivery_headers: z.array(z.string()),
  })
  .openapi("EventCatalog");
