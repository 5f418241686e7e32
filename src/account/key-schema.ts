import { z } from "@hono/zod-openapi";
import { Network } from "../core/network.ts";
import { Label, optional, Time, uuid, wholeNumber } from "../core/schema.ts";
import { knownScopes } from "../core/scope.ts";
import { type KeyRow, statusOf } from "./find-key.ts";
import { keyTypes } from "./table.ts";

const rateLimitRpmMax = 60_000;
const networksMax = 50;
const daysMax = 3650;

/** A key as it is answered: without the key itself. */
export const ApiKey = z
  .object({
    id: z.string(),
    tenant_id: z.string(),
    name: z.string(),
    label: z.string().openapi({ description: "The same as `name`" }),
    key_prefix: z.string().openapi({ description: "The first 12 characters of the key" }),
    prefix: z.string().openapi({ description: "The same as `key_prefix`" }),
    key_type: z.enum(keyTypes),
    key_purpose: z.string().nullable(),
    purpose: z.string().nullable(),
    scopes: z.array(z.string()),
    workspace_id: z.string().nullable(),
    external_user_id: z.string().nullable(),
    allowed_ips: z.array(z.string()),
    rate_limit_rpm: z.int(),
    status: z.enum(["active", "expired", "revoked"]),
    expires_at: Time.nullable(),
    last_used_at: Time.nullable().openapi({ description: "To the minute" }),
    created_by: z.string().nullable().openapi({ description: "Id of the key that made it" }),
    created_at: Time,
    updated_at: Time,
  })
  .openapi("ApiKey");

/** The same in the one answer that shows the key. */
export const ShownApiKey = ApiKey.extend({
  key: z.string().openapi({ description: "Shown here and never again" }),
  token: z.string().openapi({ description: "The same as `key`" }),
}).openapi("ShownApiKey");

/** Scopes to give. People write what they have in mind; who gets a list can correct it. */
export const Scopes = z
  .array(z.string("must be a scope, such as databases:read"), "must be a list of scopes")
  .max(100, "must have at most 100 scopes")
  .transform((scopes, check) => {
    const unknown = scopes.filter((scope) => !knownScopes.includes(scope));
    if (unknown.length === 0) return [...new Set(scopes)];
    const message = `has no ${unknown.slice(0, 5).join(", ")}; known are ${knownScopes.join(", ")}`;
    check.addIssue({ code: "custom", message });
    return z.NEVER;
  })
  .openapi({ type: "array", items: { type: "string", enum: [...knownScopes] } });

const timeProblem = "must be a time as in RFC 3339, such as 2027-11-22T12:00:00Z";
const Instant = z.iso
  .datetime({ offset: true, message: timeProblem })
  .transform((text) => new Date(text));
const Networks = z
  .array(Network, "must be a list of addresses and networks")
  .max(networksMax, `must have at most ${networksMax} entries`)
  .openapi({ description: "Addresses and networks it may be used from; anywhere when empty" });

const limits = {
  rate_limit_rpm: optional(wholeNumber(rateLimitRpmMax)).openapi({
    description: "Requests a minute",
  }),
  allowed_ips: optional(Networks),
};

const expiry = {
  expires_at: optional(Instant),
  expires_in_days: optional(wholeNumber(daysMax)),
};

interface Expiry {
  readonly expires_at?: unknown;
  readonly expires_in_days?: unknown;
}

const hasOneExpiry = ({ expires_at: at, expires_in_days: days }: Expiry) =>
  at === undefined || days === undefined;
const twoExpiries = { message: "cannot be given with expires_in_days", path: ["expires_at"] };

/** Body of `apiKeys.create`. */
export const CreateApiKey = z
  .strictObject({
    name: Label,
    key_type: optional(z.enum(keyTypes, `must be one of ${keyTypes.join(", ")}`)),
    purpose: optional(Label),
    key_purpose: optional(Label),
    scopes: optional(Scopes),
    workspace_id: optional(uuid()),
    ...expiry,
    ...limits,
  })
  .refine(hasOneExpiry, twoExpiries)
  .openapi("CreateApiKey");

/** Body of `apiKeys.createScoped`: a key that sees one external user's things only. */
export const CreateScopedApiKey = z
  .strictObject({
    external_user_id: Label,
    scopes: optional(Scopes),
    label: optional(Label),
    name: optional(Label),
    workspace_id: optional(uuid()),
    ...expiry,
    ...limits,
  })
  .refine(hasOneExpiry, twoExpiries)
  .openapi("CreateScopedApiKey");

/** Body of `apiKeys.update`. */
export const UpdateApiKey = z
  .strictObject({
    name: optional(Label),
    purpose: Label.nullish(),
    scopes: optional(Scopes),
    expires_at: Instant.nullish(),
    ...limits,
  })
  .openapi("UpdateApiKey");

/** When a key ends, of either spelling. */
export function expiryOf(
  body: {
    readonly expires_at?: Date | undefined;
    readonly expires_in_days?: number | undefined;
  },
  now: Date,
): Date | undefined {
  const { expires_at: at, expires_in_days: days } = body;
  return days === undefined ? at : new Date(now.getTime() + days * 86_400_000);
}

/** Renders a row. */
export function renderKey(row: KeyRow, now: Date): z.infer<typeof ApiKey> {
  return {
    id: row.id,
    tenant_id: row.organizationId,
    name: row.name,
    label: row.name,
    key_prefix: row.keyPrefix,
    prefix: row.keyPrefix,
    key_type: row.keyType,
    key_purpose: row.purpose,
    purpose: row.purpose,
    scopes: row.scopes,
    workspace_id: row.workspaceId,
    external_user_id: row.externalUserId,
    allowed_ips: [...row.allowedNetworks],
    rate_limit_rpm: row.rateLimitRpm,
    status: statusOf(row, now),
    expires_at: row.expiresAt?.toISOString() ?? null,
    last_used_at: row.lastUsedAt?.toISOString() ?? null,
    created_by: row.createdBy,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

/** Renders it with the key. */
export function renderShownKey(
  { row, key }: { readonly row: KeyRow; readonly key: string },
  now: Date,
): z.infer<typeof ShownApiKey> {
  return { ...renderKey(row, now), key, token: key };
}
