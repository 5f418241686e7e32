// How many streams of events an organization has open. Each is a row that says until when it
// counts, so that one whose process was lost is forgotten by itself.
import { and, count, eq, gt, isNull, lt, or } from "drizzle-orm";
import { apiKey } from "../account/table.ts";
import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { ApiError } from "../core/error.ts";
import { newId } from "../core/id.ts";
import { openStream as streamTable } from "./table.ts";

/** Each asks D1 once a second, which answers some thousand questions a second to everybody. */
export const streamsMax = 50;

const countsSeconds = 60;
const renewSeconds = 20;

/** A stream that is open. */
export interface OpenStream {
  readonly id: string;
  readonly keyId: string;
  /** When it is to be said again that it is. */
  renewAt: Date;
}

/** @throws ApiError 429 TOO_MANY_STREAMS */
export async function openStream(context: Context, actor: Actor): Promise<OpenStream> {
  const { organizationId, keyId } = actor;
  const [now, id] = [context.now(), newId(context)];
  const row = { id, organizationId, keyId, openUntil: later(now, countsSeconds) };
  const [, , open] = await context.db.batch([
    context.db.delete(streamTable).where(lt(streamTable.openUntil, now)),
    context.db.insert(streamTable).values({ ...row, createdAt: now }),
    context.db
      .select({ n: count() })
      .from(streamTable)
      .where(and(eq(streamTable.organizationId, organizationId), gt(streamTable.openUntil, now))),
  ]);
  const stream = { id, keyId, renewAt: later(now, renewSeconds) };
  if ((open[0]?.n ?? 0) <= streamsMax) return stream;
  await closeStream(context, stream);
  throw new ApiError(
    429,
    "TOO_MANY_STREAMS",
    `${streamsMax} streams of events are open, which is the most an organization may have: each ` +
      "asks the database once a second. Close one, or follow more types with one stream.",
    { details: { streams_max: streamsMax }, retryAfterSeconds: 30 },
  );
}

/** Says now and then that a stream is still open; false once its key is no longer valid. */
export async function keepStream(context: Context, stream: OpenStream): Promise<boolean> {
  const now = context.now();
  if (now < stream.renewAt) return true;
  stream.renewAt = later(now, renewSeconds);
  const [, keys] = await context.db.batch([
    context.db
      .update(streamTable)
      .set({ openUntil: later(now, countsSeconds) })
      .where(eq(streamTable.id, stream.id)),
    context.db
      .select({ id: apiKey.id })
      .from(apiKey)
      .where(
        and(
          eq(apiKey.id, stream.keyId),
          eq(apiKey.status, "active"),
          or(isNull(apiKey.expiresAt), gt(apiKey.expiresAt, now)),
        ),
      ),
  ]);
  return keys.length > 0;
}

/** It counts no longer. */
export async function closeStream(context: Context, { id }: OpenStream): Promise<void> {
  await context.db.delete(streamTable).where(eq(streamTable.id, id));
}

function later(time: Date, seconds: number): Date {
  return new Date(time.getTime() + seconds * 1000);
}
