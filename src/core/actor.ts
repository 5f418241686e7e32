import { ApiError, invalid } from "./error.ts";
import type { OrganizationId } from "./id.ts";
import { covers, isForOneUser, type Scope } from "./scope.ts";

/** Who is asking: one API key of one organization, bound to a workspace or not. */
export interface Actor {
  readonly organizationId: OrganizationId;
  readonly keyId: string;
  /** SHA-256 in hex of the very key that was sent: a rotated one has had others. */
  readonly keyHash: string;
  /** First characters of the key, to recognise it by. */
  readonly keyPrefix: string;
  /** Set when the key sees one workspace only. */
  readonly workspaceId: string | null;
  /** Set when the key sees only what is attributed to one external user. */
  readonly externalUserId: string | null;
  /** Granted scopes, in either public vocabulary; `*` grants everything. */
  readonly scopes: readonly string[];
  /** True for a key of the installation's operator: may call `/admin`. */
  readonly isAdmin: boolean;
}

/**
 * @throws ApiError 403 `insufficient_scope` naming the missing scope, and 403 for what a key of one
 * external user is never given, or a key that is not the operator's.
 */
export function requireScope(actor: Actor, scope: Scope): void {
  if (scope.startsWith("admin:") && !actor.isAdmin) {
    throw new ApiError(403, "FORBIDDEN", "This call needs an admin API key.");
  }
  if (!covers(actor.scopes, scope)) {
    throw new ApiError(403, "insufficient_scope", `This API key lacks the scope ${scope}.`, {
      details: { required_scope: scope },
    });
  }
  if (actor.externalUserId === null || isForOneUser(scope)) return;
  const message = `This API key is limited to one external user; ${scope} is about all of them.`;
  throw new ApiError(403, "FORBIDDEN", message);
}

/**
 * Whom a new thing is attributed to: the user of a key that is limited to one, else who is named.
 * @throws ApiError 422 when another one is named.
 */
export function attributedUser(actor: Actor, named: string | null | undefined): string | null {
  const own = actor.externalUserId;
  if (own === null || named == null || named === own) return own ?? named ?? null;
  throw invalid("external_user_id", "is not the one this API key is limited to; leave it out.");
}
