// Streams for the bearer of a key: so many at once, and none for longer than the key is valid. Each
// is a row that says until when it counts, so that one whose process was lost is forgotten.
import { and, count, eq, gt, lt } from "drizzle-orm";
import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { ApiError } from "../core/error.ts";
import { newId } from "../core/id.ts";
import { type Look, type Pace, streamEvents } from "../core/sse.ts";
import { keyByHash, statusOf } from "./find-key.ts";
import { openStream } from "./table.ts";

/** Each asks D1 once a second, which answers some thousand questions a second to everybody. */
export const streamsMax = 50;
/** Of one key, so that it leaves some to the others of its organization. */
export const streamsOfKeyMax = 20;

const countsSeconds = 60;
// A key that was revoked or rotated is noticed within this and one look more.
const renewSeconds = 6;

/** What a stream tells last when its key is no longer valid. */
const keyEnded: Look = {
  events: [
    { type: "error", data: { message: "The API key of this stream has ended, or was changed." } },
  ],
  isOver: true,
};

/**
 * A stream of what `look` brings, for as long as the actor's key is valid.
 * @throws ApiError 429 TOO_MANY_STREAMS
 */
export async function streamFor(
  context: Context,
  actor: Actor,
  pace: Pace,
  look: () => Promise<Look>,
): Promise<Response> {
  const id = await enterStream(context, actor);
  const rights = await rightsOf(context, actor);
  let renewAt = later(context.now(), renewSeconds);
  const lookIfValid = async (): Promise<Look> => {
    const now = context.now();
    if (now >= renewAt) {
      renewAt = later(now, renewSeconds);
      if (!(await keep(context, actor, id, rights))) return keyEnded;
    }
    return look();
  };
  return streamEvents(context, pace, lookIfValid, () => leaveStream(context, id));
}

/** Counts one more stream; its id. @throws ApiError 429 TOO_MANY_STREAMS */
export async function enterStream(
  context: Context,
  actor: Pick<Actor, "organizationId" | "keyId">,
): Promise<string> {
  const { organizationId, keyId } = actor;
  const [now, id] = [context.now(), newId(context)];
  const row = { id, organizationId, keyId, openUntil: later(now, countsSeconds) };
  const counted = (isOwn: ReturnType<typeof eq>) =>
    context.db
      .select({ n: count() })
      .from(openStream)
      .where(and(isOwn, gt(openStream.openUntil, now)));
  const [, , ofOrganization, ofKey] = await context.db.batch([
    context.db.delete(openStream).where(lt(openStream.openUntil, now)),
    context.db.insert(openStream).values({ ...row, createdAt: now }),
    counted(eq(openStream.organizationId, organizationId)),
    counted(eq(openStream.keyId, keyId)),
  ]);
  const isFull = (ofOrganization[0]?.n ?? 0) > streamsMax;
  if (!isFull && (ofKey[0]?.n ?? 0) <= streamsOfKeyMax) return id;
  await leaveStream(context, id);
  throw tooMany(isFull ? [streamsMax, "an organization"] : [streamsOfKeyMax, "an API key"]);
}

/** It counts no longer. */
export async function leaveStream(context: Context, id: string): Promise<void> {
  await context.db.delete(openStream).where(eq(openStream.id, id));
}

function tooMany([most, whose]: readonly [number, string]): ApiError {
  const message =
    `${most} streams are open, which is the most ${whose} may have: each asks the database once ` +
    "a second. Close one, or follow more types with one stream.";
  return new ApiError(429, "TOO_MANY_STREAMS", message, {
    details: { streams_max: most },
    retryAfterSeconds: 30,
  });
}

/** What a key may do and from where, as one text; null for one that is not valid now. */
async function rightsOf(context: Context, { keyHash }: Actor): Promise<string | null> {
  const found = await keyByHash(context, keyHash);
  if (found === undefined || statusOf(found.row, context.now()) !== "active") return null;
  const { scopes, allowedNetworks, workspaceId } = found.row;
  return JSON.stringify([scopes, allowedNetworks, workspaceId]);
}

/** Says that a stream is still open; false once its key is not what it was when it was opened. */
async function keep(
  context: Context,
  actor: Actor,
  id: string,
  rights: string | null,
): Promise<boolean> {
  const now = context.now();
  const renewed = context.db
    .update(openStream)
    .set({ openUntil: later(now, countsSeconds) })
    .where(eq(openStream.id, id));
  const [, found] = await Promise.all([renewed, rightsOf(context, actor)]);
  return found !== null && found === rights;
}

function later(time: Date, seconds: number): Date {
  return new Date(time.getTime() + seconds * 1000);
}
