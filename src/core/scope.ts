// What a key may do, as `resource:verb`. Public clients know two vocabularies; both are taken.
// Law: `write` of a resource is everything of it, so it also reads, creates and executes.

const resources = [
  "admin",
  "agent_runtime_profiles",
  "agents",
  "api_keys",
  "audit",
  "billing",
  "cloud",
  "cron_jobs",
  "data",
  "databases",
  "deployments",
  "domains",
  "egress",
  "env",
  "events",
  "osa",
  "previews",
  "products",
  "project_auth",
  "project_integrations",
  "projects",
  "sandboxes",
  "storage",
  "usage",
  "webhooks",
  "workspaces",
] as const;

/** Every scope a key may be given. `*` is all of them, also of those to come. */
export const knownScopes: readonly string[] = [
  ...resources.flatMap((resource) => [`${resource}:read`, `${resource}:write`]),
  "computers:read",
  "computers:write",
  "env:reveal",
  "sandboxes:create",
  "sandboxes:exec",
  "*",
];

/** What a call needs, as `resource:read` or `resource:write`. */
export type Scope = `${string}:${"read" | "write"}`;

// By the resource that is wanted, whose scopes grant it: two names of one right, and what holds it.
const holders: Readonly<Record<string, readonly string[]>> = {
  databases: ["databases", "data"],
  data: ["databases", "data"],
  workspaces: ["workspaces", "projects"],
};

/** True when one of the granted scopes holds the wanted one. */
export function covers(granted: readonly string[], wanted: string): boolean {
  if (granted.includes("*")) return true;
  const [resource = "", verb = ""] = wanted.split(":");
  const names = holders[resource] ?? [resource];
  return granted.some((each) => {
    const [itsResource = "", itsVerb] = each.split(":");
    return names.includes(itsResource) && (itsVerb === "write" || itsVerb === verb);
  });
}

// What a key of one external user may be given: the rest shows or changes what others have.
const forOneUser: readonly string[] = [
  "projects:read",
  "projects:write",
  "databases:read",
  "databases:write",
  "data:read",
  "data:write",
  "workspaces:read",
  "events:read",
];

/** True for a scope that means something to a key which sees one external user's things only. */
export function isForOneUser(scope: string): boolean {
  return forOneUser.includes(scope);
}

/** Those scopes, for whoever is told. */
export const userScopes = forOneUser;
