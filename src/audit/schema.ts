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
    address: z.string().nullable(),
    action: z.string().openapi({ example: "databases.update" }),
    resource_type: z.string().nullable(),
    resource_id: z.string().nullable(),
    before: Facts,
    after: Facts,
    request_id: z.string(),
    created_at: Time,
    previous_hash: z.string().nullable(),
    hash: z.string().nullable().openapi({ description: "Null for the second until it is linked" }),
  })
  .openapi("AuditEntry");

/** Renders a row. */
export function renderEntry(row: AuditRow): z.infer<typeof AuditEntry> {
  return {
    id: row.id,
    tenant_id: row.organizationId,
    actor: { type: "api_key", id: row.actorId, key_prefix: row.actorPrefix },
    address: row.address,
    action: row.action,
    resource_type: row.resourceType,
    resource_id: row.resourceId,
    before: factsIn(row.before),
    after: factsIn(row.after),
    request_id: row.requestId,
    created_at: row.createdAt.toISOString(),
    previous_hash: row.previousHash,
    hash: row.hash,
  };
}

function factsIn(text: string | null): Record<string, unknown> | null {
  return text === null ? null : (JSON.parse(text) as Record<string, unknown>);
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
