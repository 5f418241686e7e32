import { and, eq, inArray, lte, ne, or, sql } from "drizzle-orm";
import type { Actor } from "../core/actor.ts";
import { commit, type Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { ApiError, conflict, invalid } from "../core/error.ts";
import { newId, randomToken } from "../core/id.ts";
import type { Receipt } from "../core/route.ts";
import { covers } from "../core/scope.ts";
import { sha256 } from "./authenticate.ts";
import { findWorkspace } from "./find.ts";
import { countKeys, findKey, type KeyRow, ownKey, statusOf } from "./find-key.ts";
import { type Grant, refuseMore } from "./grant.ts";
import { apiKey, formerApiKey, type KeyType } from "./table.ts";

// Requests a minute of a key that names no limit.
const rateLimitRpmDefault = 600;

/** What a key may do that names no scopes: look at what there is, without any secret of it. */
export const scopesDefault = ["projects:read", "databases:read", "events:read"] as const;

const keysMax = 10_000;
// Each call of a key is counted once for each key it comes from.
const generationsMax = 5;
const prefixes: Readonly<Record<KeyType, string>> = {
  user: "msk_u_",
  platform: "msk_p_",
  live: "msk_live_",
  admin: "msk_a_",
};

/** What a caller says of a key; what is undefined is as narrow as it goes, or the caller's own. */
export interface NewKey {
  readonly name: string;
  readonly keyType: KeyType;
  readonly purpose?: string | undefined;
  readonly scopes?: readonly string[] | undefined;
  readonly expiresAt?: Date | undefined;
  readonly workspaceId?: string | undefined;
  readonly allowedNetworks?: readonly string[] | undefined;
  readonly rateLimitRpm?: number | undefined;
  readonly externalUserId?: string | undefined;
}

/** A key in the one answer that shows it. */
export interface ShownKey {
  readonly row: KeyRow;
  readonly key: string;
}

/** @throws ApiError 403 for what the caller's key does not have itself, 404 for the workspace. */
export async function createKey(
  context: Context,
  actor: Actor,
  input: NewKey,
  receipt: Receipt,
): Promise<ShownKey> {
  const own = await ownKey(context, actor);
  const ancestors = ancestorsOfChild(own);
  const workspaceId = input.workspaceId ?? actor.workspaceId;
  if (workspaceId !== null) await findWorkspace(context, actor, workspaceId);
  const grant: Grant = {
    scopes: [...(input.scopes ?? scopesDefault.filter((scope) => covers(own.scopes, scope)))],
    isAdmin: input.keyType === "admin",
    workspaceId,
    allowedNetworks: input.allowedNetworks ?? own.allowedNetworks,
    expiresAt: input.expiresAt ?? own.expiresAt,
    rateLimitRpm: input.rateLimitRpm ?? Math.min(rateLimitRpmDefault, own.rateLimitRpm),
  };
  refusePast(context, input.expiresAt);
  refuseMore({ actor, key: own }, grant);
  if ((await countKeys(context, actor.organizationId)) >= keysMax) {
    const message = `The organization has ${keysMax} API keys; delete some it no longer uses.`;
    throw new ApiError(403, "QUOTA_EXCEEDED", message);
  }
  const { keyType, name, purpose = null, externalUserId = null } = input;
  const [id, secret, now] = [newId(context), await newSecret(context, keyType), context.now()];
  const owned = { id, organizationId: actor.organizationId, createdBy: own.id, ancestors };
  const times = { createdAt: now, updatedAt: now };
  const facts = { keyType, name, purpose, externalUserId, status: "active" as const };
  await commit(context, [
    context.db.insert(apiKey).values({ ...owned, ...facts, ...grant, ...secret.columns, ...times }),
    ...receipt(`/api-keys/${id}`),
  ]);
  return { row: await findKey(context, actor, id), key: secret.key };
}

// The installation's own key answers for nobody's rate but its own.
function ancestorsOfChild(own: KeyRow): string[] {
  const ancestors = isInstallationsOwn(own) ? [] : [...own.ancestors, own.id];
  if (ancestors.length <= generationsMax) return ancestors;
  const message = `Keys make keys for ${generationsMax} generations at most: make it with another.`;
  throw new ApiError(403, "FORBIDDEN", message);
}

/** What may change of a key; what is undefined stays. */
export interface KeyChange {
  readonly name?: string | undefined;
  readonly purpose?: string | null | undefined;
  readonly scopes?: readonly string[] | undefined;
  readonly expiresAt?: Date | null | undefined;
  readonly allowedNetworks?: readonly string[] | undefined;
  readonly rateLimitRpm?: number | undefined;
}

/** @throws ApiError 403 for a key that can do more than the caller's, before or after. */
export async function updateKey(
  context: Context,
  actor: Actor,
  row: KeyRow,
  change: KeyChange,
): Promise<void> {
  const { name, purpose, ...powers } = change;
  const changed = Object.values(powers).some((value) => value !== undefined);
  if (changed) refuseInstallationsOwn(row);
  refusePast(context, change.expiresAt);
  const key = await ownKey(context, actor);
  refuseMore({ actor, key }, row);
  const given = Object.entries(powers).filter(([, value]) => value !== undefined);
  refuseMore({ actor, key }, { ...row, ...Object.fromEntries(given) });
  const { scopes, ...rest } = powers;
  await context.db
    .update(apiKey)
    .set({
      name,
      purpose,
      ...rest,
      scopes: scopes === undefined ? undefined : [...scopes],
      updatedAt: context.now(),
    })
    .where(eq(apiKey.id, row.id));
}

/**
 * Gives a key another secret; the former one works on for the overlap. Without an overlap it ends
 * at once, and with it whatever is left of earlier ones.
 * @throws ApiError 403 for a key that can do more than the caller's, 409 for a dead one
 */
export async function rotateKey(
  context: Context,
  actor: Actor,
  row: KeyRow,
  overlapSeconds: number,
): Promise<ShownKey> {
  refuseInstallationsOwn(row);
  refuseMore({ actor, key: await ownKey(context, actor) }, row);
  const now = context.now();
  if (statusOf(row, now) !== "active") {
    throw conflict("INVALID_STATE", "The API key is revoked or expired; create a new one.");
  }
  const { key, columns } = await newSecret(context, row.keyType);
  const expiresAt = new Date(now.getTime() + overlapSeconds * 1000);
  const ofKey = eq(formerApiKey.keyId, row.id);
  const former: Statement[] =
    overlapSeconds === 0
      ? [context.db.delete(formerApiKey).where(ofKey)]
      : [
          context.db.delete(formerApiKey).where(and(ofKey, lte(formerApiKey.expiresAt, now))),
          context.db
            .insert(formerApiKey)
            .values({ keyId: row.id, keyHash: row.keyHash, expiresAt, createdAt: now }),
        ];
  // NOT NULL: of two at once, the one that comes late makes this null and aborts its batch.
  const next = sql`case when key_hash = ${row.keyHash} then ${columns.keyHash} end`;
  await commit(context, [
    context.db
      .update(apiKey)
      .set({ keyPrefix: columns.keyPrefix, keyHash: next, updatedAt: now })
      .where(eq(apiKey.id, row.id)),
    ...former,
  ]);
  return { row: await findKey(context, actor, row.id), key };
}

/** What else a revocation means. */
export interface Revocation {
  /** The key that calls may be the one that is revoked. */
  readonly includingOwn: boolean;
  /** Ends the keys that were made with it, and with those. */
  readonly includingDescendants: boolean;
}

/**
 * Ends a key at once, and what it was before.
 * @throws ApiError 403 for a key that can do more than the caller's; 409 for the installation's
 *   own, and for the caller's own unless that is what is meant
 */
export async function revokeKey(
  context: Context,
  actor: Actor,
  row: KeyRow,
  { includingOwn, includingDescendants }: Revocation,
): Promise<void> {
  refuseInstallationsOwn(row);
  refuseMore({ actor, key: await ownKey(context, actor) }, row);
  if (row.id === actor.keyId && !includingOwn) {
    const message = "This is the API key you call with. Use another one, or add `?own=true`.";
    throw conflict("OWN_KEY", message);
  }
  const isMeant = includingDescendants
    ? or(
        eq(apiKey.id, row.id),
        sql`${row.id} in (select value from json_each(${apiKey.ancestors}))`,
      )
    : eq(apiKey.id, row.id);
  const meant = context.db.select({ id: apiKey.id }).from(apiKey).where(isMeant);
  await commit(context, [
    context.db.delete(formerApiKey).where(inArray(formerApiKey.keyId, meant)),
    context.db
      .update(apiKey)
      .set({ status: "revoked", updatedAt: context.now() })
      .where(and(isMeant, ne(apiKey.status, "revoked"))),
  ]);
}

// The operator's key, which a setting of the installation decides.
function isInstallationsOwn({ isAdmin, createdBy }: KeyRow): boolean {
  return isAdmin && createdBy === null;
}

// It is the last admin key there is: nobody could make another one.
function refuseInstallationsOwn(row: KeyRow): void {
  if (!isInstallationsOwn(row)) return;
  const message =
    "This is the installation's own admin key: its `name` and `purpose` alone can be changed " +
    "here. To replace it, set MIOSA_ADMIN_KEY.";
  throw conflict("INSTALLATION_KEY", message);
}

function refusePast(context: Context, expiresAt: Date | null | undefined): void {
  if (expiresAt == null || expiresAt > context.now()) return;
  throw invalid("expires_at", "must be in the future.");
}

async function newSecret(context: Context, keyType: KeyType) {
  const key = `${prefixes[keyType]}${randomToken(context, 32)}`;
  return { key, columns: { keyHash: await sha256(key), keyPrefix: key.slice(0, 12) } };
}
