import { ApiError } from "./error.ts";
import type { OrganizationId } from "./id.ts";

/** Who is asking: one API key of one organization, bound to a workspace or not. */
export interface Actor {
  readonly organizationId: OrganizationId;
  readonly keyId: string;
  /** First characters of the key, to recognise it by. */
  readonly keyPrefix: string;
  /** Set when the key sees one workspace only. */
  readonly workspaceId: string | null;
  /** Granted scopes, in either public vocabulary; `*` grants everything. */
  readonly scopes: readonly string[];
  /** True for a key of the installation's operator: may call `/admin`. */
  readonly isAdmin: boolean;
}

/** What a call needs, as `resource:read` or `resource:write`. */
export type Scope = `${string}:${"read" | "write"}`;

// Two public vocabularies name the same right.
const synonyms: Record<string, readonly string[]> = {
  databases: ["databases", "data"],
  workspaces: ["workspaces", "projects"],
  webhooks: ["webhooks", "events"],
};

/** @throws ApiError 403 `insufficient_scope` naming the missing scope. Write implies read. */
export function requireScope(actor: Actor, scope: Scope): void {
  if (hasScope(actor, scope)) return;
  throw new ApiError(403, "insufficient_scope", `This API key lacks the scope ${scope}.`, {
    details: { required_scope: scope },
  });
}

/** True when one of the actor's scopes grants `scope`. */
function hasScope(actor: Actor, scope: Scope): boolean {
  const [resource = "", verb] = scope.split(":");
  const verbs = verb === "read" ? ["read", "write"] : ["write"];
  const resources = synonyms[resource] ?? [resource];
  const accepted = resources.flatMap((name) => verbs.map((each) => `${name}:${each}`));
  return actor.scopes.some((granted) => granted === "*" || accepted.includes(granted));
}

/** @throws ApiError 403 for a key that is not the operator's. */
export function requireAdmin(actor: Actor): void {
  if (!actor.isAdmin) throw new ApiError(403, "FORBIDDEN", "This call needs an admin API key.");
}
