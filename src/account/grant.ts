// What a key may give to another. Law: never more than it has; so whoever holds it gains nothing
// by making, changing or rotating keys.
import type { Actor } from "../core/actor.ts";
import { ApiError } from "../core/error.ts";
import { isWithin } from "../core/network.ts";
import { covers } from "../core/scope.ts";
import type { KeyRow } from "./find-key.ts";

/** Everything a key's power consists of. */
export type Grant = Pick<
  KeyRow,
  "scopes" | "isAdmin" | "workspaceId" | "allowedNetworks" | "expiresAt" | "rateLimitRpm"
>;

/** Who gives: the calling key, and its row. */
export interface Giver {
  readonly actor: Actor;
  readonly key: KeyRow;
}

/** @throws ApiError 403 insufficient_scope or FORBIDDEN, naming what the giver lacks. */
export function refuseMore({ actor, key }: Giver, grant: Grant): void {
  const missing = grant.scopes.filter((scope) => !covers(key.scopes, scope));
  if (missing.length > 0) {
    const message = `This API key lacks ${missing.join(", ")}, so it cannot give or manage that.`;
    const details = { required_scope: missing[0], missing_scopes: missing };
    throw new ApiError(403, "insufficient_scope", message, { details });
  }
  if (grant.isAdmin && !key.isAdmin) refuse("key_type", "admin is for an admin key to give");
  if (actor.workspaceId !== null && grant.workspaceId !== actor.workspaceId) {
    refuse("workspace_id", `must be ${actor.workspaceId}, which this API key is bound to`);
  }
  if (!isNarrower(grant.allowedNetworks, key.allowedNetworks)) {
    refuse("allowed_ips", `must lie within this API key's own: ${key.allowedNetworks.join(", ")}`);
  }
  const { expiresAt } = key;
  if (expiresAt !== null && (grant.expiresAt === null || grant.expiresAt > expiresAt)) {
    refuse("expires_at", `must not be after this API key's own, ${expiresAt.toISOString()}`);
  }
  if (!key.isAdmin && grant.rateLimitRpm > key.rateLimitRpm) {
    refuse("rate_limit_rpm", `must not be above this API key's own, ${key.rateLimitRpm}`);
  }
}

function isNarrower(inner: readonly string[], outer: readonly string[]): boolean {
  if (outer.length === 0) return true;
  if (inner.length === 0) return false;
  return inner.every((network) => outer.some((each) => isWithin(network, each)));
}

function refuse(field: string, problem: string): never {
  const fields = { [field]: [problem] };
  throw new ApiError(403, "FORBIDDEN", `${field} ${problem}.`, { fields });
}
