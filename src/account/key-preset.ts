import { scopesDefault } from "./key.ts";

/** Sets of scopes that are often wanted together, narrowest first. */
export const keyPresets = [
  {
    id: "read_only",
    name: "Read only",
    description: "See projects, databases and events, and no credentials. The default.",
    scopes: [...scopesDefault],
  },
  {
    id: "provisioning",
    name: "Provisioning",
    description: "Create, change and delete projects and databases, and read their credentials.",
    scopes: ["projects:write", "databases:write", "events:read"],
  },
  {
    id: "platform",
    name: "Platform",
    description: "The same, and webhooks, workspaces, usage and the audit log.",
    scopes: [
      "projects:write",
      "databases:write",
      "workspaces:write",
      "webhooks:write",
      "events:read",
      "usage:read",
      "audit:read",
    ],
  },
  {
    id: "key_management",
    name: "Key management",
    description: "Make keys for others, of what it can do itself.",
    scopes: ["api_keys:write", "projects:write", "databases:write", "events:read"],
  },
  { id: "full_access", name: "Full access", description: "Everything.", scopes: ["*"] },
];
