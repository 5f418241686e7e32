import { and, asc, count, eq } from "drizzle-orm";
import type { Actor } from "../core/actor.ts";
import { commit } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { ApiError, conflict, notFound } from "../core/error.ts";
import { newId } from "../core/id.ts";
import { scopesDefault } from "./key.ts";
import { keyPreset } from "./table.ts";

const presetsMax = 100;

/** A set of scopes with a name: ours, or an organization's own. */
export interface Preset {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly scopes: readonly string[];
}

/** Sets of scopes that are often wanted together, narrowest first. */
const published: readonly Preset[] = [
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

/** Those everybody has, then the organization's own, by their names. */
export async function listPresets(context: Context, actor: Actor): Promise<Preset[]> {
  const own = await context.db
    .select()
    .from(keyPreset)
    .where(eq(keyPreset.organizationId, actor.organizationId))
    .orderBy(asc(keyPreset.name));
  return [...published, ...own.map(render)];
}

/** @throws ApiError 409 NAME_TAKEN, 403 QUOTA_EXCEEDED */
export async function createPreset(
  context: Context,
  { organizationId }: Actor,
  wanted: Omit<Preset, "id">,
): Promise<Preset> {
  if (isPublished(wanted.name)) {
    throw conflict("NAME_TAKEN", `Everybody has a preset ${wanted.name}; take another name.`);
  }
  const [counted] = await context.db
    .select({ n: count() })
    .from(keyPreset)
    .where(eq(keyPreset.organizationId, organizationId));
  if ((counted?.n ?? 0) >= presetsMax) {
    const message = `The organization has ${presetsMax} presets; delete some it no longer uses.`;
    throw new ApiError(403, "QUOTA_EXCEEDED", message);
  }
  const now = context.now();
  const times = { createdAt: now, updatedAt: now };
  const row = { ...wanted, scopes: [...wanted.scopes], id: newId(context), organizationId };
  context.trail?.tell({ resource: { type: "api_key_preset", id: wanted.name } });
  await commit(context, [context.db.insert(keyPreset).values({ ...row, ...times })]);
  return render(row);
}

/** @throws ApiError 404, 409 for one that everybody has */
export async function deletePreset(
  context: Context,
  { organizationId }: Actor,
  name: string,
): Promise<void> {
  if (isPublished(name)) throw conflict("PUBLISHED_PRESET", `Everybody has ${name}; it stays.`);
  const isMeant = and(eq(keyPreset.organizationId, organizationId), eq(keyPreset.name, name));
  const [found] = await context.db.select({ id: keyPreset.id }).from(keyPreset).where(isMeant);
  if (found === undefined) throw notFound("preset");
  await commit(context, [context.db.delete(keyPreset).where(isMeant)]);
}

function isPublished(name: string): boolean {
  return published.some((each) => each.id === name || each.name === name);
}

function render({ id, name, description, scopes }: Preset): Preset {
  return { id, name, description, scopes };
}
