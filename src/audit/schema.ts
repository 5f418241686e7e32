import { z } from "@hono/zod-openapi";
import { Time } from "../core/schema.ts";
import type { AuditRow } from "./table.ts";
import type { Verification } from "./verify.ts";

const Facts = z.record(z.string(), z.unknown()).nullable();

/** An entry as it is answered. */
export const AuditEntry = z
  .object({
    id: z.string(),
    tenant_id: z.string(),
    actor: z.object({ type: z.literal("api_key"), id: z.string(), key_prefix: z.string() }),
    actor_id: z.string(),
    actor_type: z.literal("api_key"),
    address: z.string().nullable(),
    ip_address: z.string().nullable().openapi({ description: "The same as `address`" }),
    outcome: z.enum(["succeeded", "refused", "replayed"]),
    action: z.string().openapi({ example: "databases.update" }),
    resource_type: z.string().nullable(),
    resource: z.string().nullable().openapi({ description: "The same as `resource_type`" }),
    resource_id: z.string().nullable(),
    before: Facts,
    after: Facts,
    metadata: Facts.openapi({ description: "The same as `after`" }),
    request_id: z.string(),
    created_at: Time,
    inserted_at: Time.openapi({ description: "The same as `created_at`" }),
    previous_hash: z.string().nullable(),
    hash: z.string().nullable().openapi({ description: "Null for the second until it is linked" }),
  })
  .openapi("AuditEntry");

/** Renders a row. */
export function renderEntry(row: AuditRow): z.infer<typeof AuditEntry> {
  const after = factsIn(row.after);
  const at = row.createdAt.toISOString();
  return {
    id: row.id,
    tenant_id: row.organizationId,
    actor: { type: "api_key", id: row.actorId, key_prefix: row.actorPrefix },
    actor_id: row.actorId,
    actor_type: "api_key",
    address: row.address,
    ip_address: row.address,
    outcome: outcomeIn(after),
    action: row.action,
    resource_type: row.resourceType,
    resource: row.resourceType,
    resource_id: row.resourceId,
    before: factsIn(row.before),
    after,
    metadata: after,
    request_id: row.requestId,
    created_at: at,
    inserted_at: at,
    previous_hash: row.previousHash,
    hash: row.hash,
  };
}

function factsIn(text: string | null): Record<string, unknown> | null {
  return text === null ? null : (JSON.parse(text) as Record<string, unknown>);
}

function outcomeIn(after: Record<string, unknown> | null): z.infer<typeof AuditEntry>["outcome"] {
  const outcome = after?.outcome;
  return outcome === "refused" || outcome === "replayed" ? outcome : "succeeded";
}

const Named = z.object({ id: z.string(), hash: z.string().nullable(), created_at: Time });

/** How far the links hold, as it is answered. */
export const AuditVerification = z
  .object({
    holds: z.boolean(),
    is_complete: z.boolean(),
    checked: z.int(),
    up_to: Named.nullable(),
    broken: Named.extend({ reason: z.string() }).nullable(),
    unsealed: z.int(),
  })
  .openapi("AuditVerification");

/** Renders how far they hold. */
export function renderVerification(found: Verification): z.infer<typeof AuditVerification> {
  const { broken, upTo } = found;
  return {
    holds: broken === null,
    is_complete: found.isComplete,
    checked: found.checked,
    up_to: upTo === null ? null : named(upTo),
    broken: broken === null ? null : { ...named(broken.row), reason: broken.reason },
    unsealed: found.unsealed,
  };
}

function named({ id, hash, createdAt }: AuditRow) {
  return { id, hash, created_at: createdAt.toISOString() };
}
