import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { newId } from "../core/id.ts";
import type { NamedResource, Trail, TrailFacts } from "../core/trail.ts";
import { shown } from "./shown.ts";
import { auditEntry } from "./table.ts";

/** A request that is to be written down. */
export interface Asked {
  readonly actor: Pick<Actor, "organizationId" | "keyId" | "keyPrefix">;
  readonly address: string | null;
  /** The call's name in the API's description, such as `databases.update`. */
  readonly action: string;
  readonly requestId: string;
  /** What its path names; a verb that makes something names that in its place. */
  readonly resource: NamedResource | null;
  /** What it asks for; of it, what the log may show is kept. */
  readonly words: unknown;
}

/** The trail of one request: one entry, written once. */
export function createTrail(context: Context, asked: Asked): Trail & { isWritten: () => boolean } {
  let facts: TrailFacts = {};
  let isWritten = false;
  return {
    tell: (more) => {
      facts = { ...facts, ...more };
    },
    pending: () => (isWritten ? [] : [writeEntry(context, asked, facts)]),
    written: () => {
      isWritten = true;
    },
    isWritten: () => isWritten,
  };
}

function writeEntry(context: Context, asked: Asked, facts: TrailFacts) {
  const { actor, address, action, requestId } = asked;
  const resource = facts.resource ?? asked.resource;
  const words = shown(asked.words);
  const after = { ...words, ...facts.outcome };
  // Only of what was to change: the rest of a thing is not this request's.
  const before = Object.entries(shown(facts.before)).filter(([name]) => name in words);
  return context.db.insert(auditEntry).values({
    id: newId(context),
    organizationId: actor.organizationId,
    actorId: actor.keyId,
    actorPrefix: actor.keyPrefix,
    address,
    action,
    resourceType: resource?.type ?? null,
    resourceId: resource?.id ?? null,
    before: textOf(Object.fromEntries(before)),
    after: textOf(after),
    requestId,
    createdAt: context.now(),
  });
}

function textOf(facts: Readonly<Record<string, unknown>>): string | null {
  return Object.keys(facts).length === 0 ? null : JSON.stringify(facts);
}

const nouns: Readonly<Record<string, string>> = {
  workspaces: "workspace",
  projects: "project",
  "data-services": "database",
  databases: "database",
  backups: "backup",
  restores: "restore",
  operations: "operation",
  hosts: "host",
  organizations: "organization",
  "api-keys": "api_key",
  presets: "api_key_preset",
  trash: "trash",
  dumps: "dump",
  webhooks: "webhook",
};

/** The last thing a path names, such as the backup of `/databases/:id/backups/:id/download`. */
export function resourceIn(path: string): NamedResource | null {
  const parts = path.split("/");
  const at = parts.findLastIndex((part, index) => part in nouns && (parts[index + 1] ?? "") !== "");
  const [noun = "", id = ""] = parts.slice(Math.max(at, 0));
  const type = nouns[noun];
  return at === -1 || type === undefined ? null : { type, id: id.slice(0, 100) };
}
