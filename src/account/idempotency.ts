// Makes a mutation safe to repeat. Law: the row stands before anything happens; the verb's own
// batch writes what it made, and aborts when the turn was lost meanwhile. So whoever finds a dead
// holder knows whether to run the request or only to answer it.
import { and, eq, isNull, lt, sql } from "drizzle-orm";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { ApiError } from "../core/error.ts";
import { newId } from "../core/id.ts";
import { seal, unseal } from "../core/seal.ts";
import { idempotencyKey } from "./table.ts";

const keptHours = 24;
// Longer than a request is driven; after it the holder counts as dead. One that is merely slow is
// fenced out when it commits, so this is about waiting, not about safety.
const lockSeconds = 8;
const keyLengthMax = 255;

/** A request under an `Idempotency-Key`. */
export interface KeyedRequest {
  readonly organizationId: string;
  /** The API key that asks: another one's request of the same name is another request. */
  readonly keyId: string;
  readonly key: string;
  /** SHA-256 of method, path, workspace and body, in hex. */
  readonly requestHash: string;
}

/** An answer that can be given again. */
export interface StoredAnswer {
  readonly status: number;
  /** Null for an answer without a body. */
  readonly body: string | null;
}

/** What a request under a key is to do. */
export type Turn =
  | { readonly kind: "execute"; readonly holder: string }
  | { readonly kind: "answer"; readonly answer: StoredAnswer }
  | { readonly kind: "render"; readonly holder: string; readonly path: string }
  | { readonly kind: "wait" };

/**
 * Takes the turn of a key, or says what to do instead.
 * @throws ApiError 422 when the key was used for another request, or is no key.
 */
export async function takeTurn(context: Context, request: KeyedRequest): Promise<Turn> {
  const { organizationId, keyId, key, requestHash } = request;
  if (!/^[\x21-\x7e]+$/.test(key) || key.length > keyLengthMax) {
    throw new ApiError(
      422,
      "INVALID_IDEMPOTENCY_KEY",
      `Idempotency-Key must be 1-${keyLengthMax} printable ASCII characters without spaces.`,
    );
  }
  const [now, holder] = [context.now(), newId(context)];
  const oldest = new Date(now.getTime() - keptHours * 3_600_000);
  const claim = { holder, lockedUntil: new Date(now.getTime() + lockSeconds * 1000) };
  // A row past its day counts as absent: the upsert starts it anew.
  const [row] = await context.db
    .insert(idempotencyKey)
    .values({ organizationId, keyId, key, requestHash, ...claim, createdAt: now })
    .onConflictDoUpdate({
      target: [idempotencyKey.keyId, idempotencyKey.key],
      set: { holder: sql`${idempotencyKey.holder}` },
    })
    .returning();
  if (row === undefined) throw new Error("The upsert returned no row.");
  if (row.holder === holder) return { kind: "execute", holder };
  if (row.createdAt < oldest) {
    await context.db.delete(idempotencyKey).where(eq(idempotencyKey.seq, row.seq));
    return takeTurn(context, request);
  }
  if (row.requestHash !== requestHash) {
    throw new ApiError(
      422,
      "IDEMPOTENCY_KEY_REUSED",
      "This Idempotency-Key was used for another request; use a new key for a new request.",
    );
  }
  return followUp(context, row, claim);
}

async function followUp(
  context: Context,
  row: typeof idempotencyKey.$inferSelect,
  claim: { readonly holder: string; readonly lockedUntil: Date },
): Promise<Turn> {
  if (row.status !== null) {
    const { status, bodySealed } = row;
    const body =
      bodySealed === null ? null : await unseal(context.keyring, purposeOf(row), bodySealed);
    return { kind: "answer", answer: { status, body } };
  }
  if (row.lockedUntil > context.now()) return { kind: "wait" };
  const taken = await context.db
    .update(idempotencyKey)
    .set(claim)
    .where(and(eq(idempotencyKey.seq, row.seq), eq(idempotencyKey.holder, row.holder)))
    .returning({ path: idempotencyKey.resourcePath });
  if (taken[0] === undefined) return { kind: "wait" };
  const { holder } = claim;
  const { path } = taken[0];
  return path === null ? { kind: "execute", holder } : { kind: "render", holder, path };
}

/** Writes, in the verb's own batch, what the request made; aborts it when the turn was lost. */
export function receiptOf(
  context: Context,
  { keyId, key }: KeyedRequest,
  holder: string,
  resourcePath: string,
): Statement {
  return context.db
    .update(idempotencyKey)
    .set({
      resourcePath,
      // NOT NULL: a foreign holder makes this null, and so aborts the whole batch.
      holder: sql`case when holder = ${holder} then holder end`,
    })
    .where(and(eq(idempotencyKey.keyId, keyId), eq(idempotencyKey.key, key)));
}

/** Keeps an answer for whoever repeats the request. */
export async function storeAnswer(
  context: Context,
  request: KeyedRequest,
  holder: string,
  { status, body }: StoredAnswer,
): Promise<void> {
  const { keyring } = context;
  const bodySealed = body === null ? null : await seal(keyring, context, purposeOf(request), body);
  await context.db
    .update(idempotencyKey)
    .set({ status, bodySealed })
    .where(heldBy(request, holder));
}

/** Forgets a request that was refused and made nothing: a corrected one may use its key. */
export async function giveUpTurn(context: Context, request: KeyedRequest, holder: string) {
  await context.db
    .delete(idempotencyKey)
    .where(and(heldBy(request, holder), isNull(idempotencyKey.resourcePath)));
}

/** Deletes keys older than a day, at most a thousand at a time. */
export async function purgeIdempotencyKeys(context: Context): Promise<void> {
  const oldest = new Date(context.now().getTime() - keptHours * 3_600_000);
  const old = context.db
    .select({ seq: idempotencyKey.seq })
    .from(idempotencyKey)
    .where(lt(idempotencyKey.createdAt, oldest))
    .limit(1000);
  await context.db.delete(idempotencyKey).where(sql`${idempotencyKey.seq} in ${old}`);
}

function heldBy({ keyId, key }: KeyedRequest, holder: string) {
  return and(
    eq(idempotencyKey.keyId, keyId),
    eq(idempotencyKey.key, key),
    eq(idempotencyKey.holder, holder),
  );
}

function purposeOf({ keyId, key }: Pick<KeyedRequest, "keyId" | "key">): string {
  return `idempotency:${keyId}:${key}`;
}
