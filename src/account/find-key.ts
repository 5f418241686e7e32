import { and, count, desc, eq, gt, isNotNull, isNull, lte, ne, or, sql } from "drizzle-orm";
import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { notFound } from "../core/error.ts";
import type { PageRequest } from "../core/page.ts";
import { apiKey, formerApiKey } from "./table.ts";

/** One row of the table. */
export type KeyRow = typeof apiKey.$inferSelect;

/** What a key is now: an expired one is no longer active, though nobody has revoked it. */
export type KeyStatus = "active" | "expired" | "revoked";

/** The status of a row at a time. */
export function statusOf({ status, expiresAt }: KeyRow, now: Date): KeyStatus {
  if (status === "revoked") return "revoked";
  return expiresAt !== null && expiresAt <= now ? "expired" : "active";
}

/** How often a key may call. */
export type KeyLimit = Pick<KeyRow, "id" | "rateLimitRpm">;

/** A key, and the limits of the keys it comes from. */
interface KeyFamily {
  readonly row: KeyRow;
  readonly ancestors: readonly KeyLimit[];
}

/** The key of a hash, also of what it was before a rotation while that works on. */
export async function keyByHash(context: Context, keyHash: string): Promise<KeyFamily | undefined> {
  const former = context.db
    .select({ keyId: formerApiKey.keyId })
    .from(formerApiKey)
    .where(and(eq(formerApiKey.keyHash, keyHash), gt(formerApiKey.expiresAt, context.now())));
  const isMeant = or(eq(apiKey.keyHash, keyHash), sql`${apiKey.id} in ${former}`);
  const ids = context.db
    .select({ id: sql`value` })
    .from(sql`${apiKey}, json_each(${apiKey.ancestors})`)
    .where(isMeant);
  const [rows, ancestors] = await context.db.batch([
    context.db.select().from(apiKey).where(isMeant),
    context.db
      .select({ id: apiKey.id, rateLimitRpm: apiKey.rateLimitRpm })
      .from(apiKey)
      .where(sql`${apiKey.id} in ${ids}`),
  ]);
  return rows[0] === undefined ? undefined : { row: rows[0], ancestors };
}

/** The row of the key that is calling. */
export async function ownKey(context: Context, actor: Actor): Promise<KeyRow> {
  const [row] = await context.db.select().from(apiKey).where(eq(apiKey.id, actor.keyId));
  if (row === undefined) throw notFound("API key");
  return row;
}

/** @throws ApiError 404 also when it is another organization's, or not of the key's workspace. */
export async function findKey(context: Context, actor: Actor, id: string): Promise<KeyRow> {
  const [row] = await context.db
    .select()
    .from(apiKey)
    .where(and(visibleTo(actor), eq(apiKey.id, id)));
  if (row === undefined) throw notFound("API key");
  return row;
}

/** Which keys of a list are wanted; those that are not revoked when no status is named. */
export interface KeyFilter {
  readonly status?: KeyStatus | undefined;
  readonly externalUserId?: string | undefined;
}

/** A page of the keys the actor may see, newest first, and how many there are. */
export async function listKeys(
  context: Context,
  actor: Actor,
  { status, externalUserId }: KeyFilter,
  page: PageRequest,
) {
  const now = context.now();
  const having = {
    active: and(
      eq(apiKey.status, "active"),
      or(isNull(apiKey.expiresAt), gt(apiKey.expiresAt, now)),
    ),
    expired: and(
      eq(apiKey.status, "active"),
      isNotNull(apiKey.expiresAt),
      lte(apiKey.expiresAt, now),
    ),
    revoked: eq(apiKey.status, "revoked"),
  };
  const matches = and(
    visibleTo(actor),
    status === undefined ? ne(apiKey.status, "revoked") : having[status],
    externalUserId === undefined ? undefined : eq(apiKey.externalUserId, externalUserId),
  );
  const before = page.beforeSeq === null ? undefined : sql`${apiKey.seq} < ${page.beforeSeq}`;
  const [rows, totals] = await context.db.batch([
    context.db
      .select()
      .from(apiKey)
      .where(and(matches, before))
      .orderBy(desc(apiKey.seq))
      .limit(page.limit)
      .offset(page.offset),
    context.db.select({ total: count() }).from(apiKey).where(matches),
  ]);
  return { rows, total: totals[0]?.total ?? 0 };
}

/** How many keys of an organization are not revoked. */
export async function countKeys(context: Context, organizationId: string): Promise<number> {
  const [row] = await context.db
    .select({ n: count() })
    .from(apiKey)
    .where(and(eq(apiKey.organizationId, organizationId), eq(apiKey.status, "active")));
  return row?.n ?? 0;
}

function visibleTo(actor: Actor) {
  return and(
    eq(apiKey.organizationId, actor.organizationId),
    actor.workspaceId === null ? undefined : eq(apiKey.workspaceId, actor.workspaceId),
  );
}
