import { and, asc, count, desc, eq, gt, gte, lt, min, or, sql } from "drizzle-orm";
import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { ApiError } from "../core/error.ts";
import { isUuid } from "../core/id.ts";
import { type PageRequest, readCursor } from "../core/page.ts";
import type { EventType } from "./event.ts";
import { event } from "./table.ts";

/** Which events of a list are wanted; what is undefined does not filter. */
export interface EventFilter {
  readonly type?: EventType | undefined;
  readonly resourceId?: string | undefined;
  readonly projectId?: string | undefined;
  readonly externalUserId?: string | undefined;
  readonly since?: Date | undefined;
  /** Names and globs such as `database.*`, any of them. */
  readonly types?: readonly string[] | undefined;
}

/** A page of events, newest first, and how many there are. */
export async function listEvents(
  context: Context,
  actor: Actor,
  filter: EventFilter,
  page: PageRequest,
) {
  const matches = matching(actor, filter);
  const before = page.beforeSeq === null ? undefined : lt(event.seq, page.beforeSeq);
  const [rows, totals] = await context.db.batch([
    context.db
      .select()
      .from(event)
      .where(and(matches, before))
      .orderBy(desc(event.seq))
      .limit(page.limit)
      .offset(page.offset),
    context.db.select({ total: count() }).from(event).where(matches),
  ]);
  return { rows, total: totals[0]?.total ?? 0 };
}

/**
 * The events after one of them in the order they were recorded, and the `seq` to go on after. That
 * moves on with everybody's events also while there are none of these: what was passed over once is
 * not looked at again.
 */
export async function followEvents(
  context: Context,
  actor: Actor,
  filter: EventFilter,
  { limit, afterSeq }: { readonly limit: number; readonly afterSeq: number },
) {
  const [rows, newest] = await context.db.batch([
    context.db
      .select()
      .from(event)
      .where(and(matching(actor, filter), gt(event.seq, afterSeq)))
      .orderBy(asc(event.seq))
      .limit(limit),
    numberedLast(context),
  ]);
  const seenSeq = rows.length < limit ? newest[0]?.seq : rows.at(-1)?.seq;
  return { rows, lastSeq: Math.max(afterSeq, seenSeq ?? 0) };
}

/** How many events match. */
export async function countEvents(
  context: Context,
  actor: Actor,
  filter: EventFilter,
): Promise<number> {
  const [found] = await context.db
    .select({ n: count() })
    .from(event)
    .where(matching(actor, filter));
  return found?.n ?? 0;
}

/**
 * Where to go on after an event: the `seq` of its id, or of a `next_cursor`.
 * @throws ApiError 410 EVENT_GONE when it, or one that came after it, may have been deleted since;
 *   422 for what is neither.
 */
export async function seqOfPlace(context: Context, actor: Actor, place: string): Promise<number> {
  const seq = isUuid(place)
    ? await seqOfEvent(context, actor, place)
    : await keptSeq(context, readCursor(place));
  if (seq !== null) return seq;
  throw new ApiError(
    410,
    "EVENT_GONE",
    "That event, or one after it, is no longer kept. Read what is, `GET /events?order=asc`, and " +
      "go on from its `next_cursor`.",
  );
}

/** The number of the newest event of all, also when that is no longer kept. */
export async function newestSeq(context: Context): Promise<number> {
  const [newest] = await numberedLast(context);
  return newest?.seq ?? 0;
}

// Numbers are given out in turn, and the oldest go first: nothing after this one has gone while
// the next one is there, or is still to come.
async function keptSeq(context: Context, seq: number): Promise<number | null> {
  const [oldest, newest] = await context.db.batch([
    context.db.select({ seq: min(event.seq) }).from(event),
    numberedLast(context),
  ]);
  const nextSeq = oldest[0]?.seq ?? (newest[0]?.seq ?? 0) + 1;
  return nextSeq <= seq + 1 ? seq : null;
}

// SQLite's own counter, which deleting does not turn back.
function numberedLast(context: Context) {
  return context.db
    .select({ seq: sql<number>`seq` })
    .from(sql`sqlite_sequence`)
    .where(sql`name = 'event'`);
}

async function seqOfEvent(context: Context, actor: Actor, id: string): Promise<number | null> {
  const [row] = await context.db
    .select({ seq: event.seq })
    .from(event)
    .where(and(matching(actor, {}), eq(event.id, id.toLowerCase())));
  return row?.seq ?? null;
}

function matching(actor: Actor, { since, types, ...columns }: EventFilter) {
  const wanted = Object.entries(columns) as [keyof typeof columns, string | undefined][];
  return and(
    eq(event.organizationId, actor.organizationId),
    actor.workspaceId === null ? undefined : eq(event.workspaceId, actor.workspaceId),
    actor.externalUserId === null ? undefined : eq(event.externalUserId, actor.externalUserId),
    since === undefined ? undefined : gte(event.occurredAt, since),
    types === undefined ? undefined : or(...types.map((glob) => sql`${event.type} glob ${glob}`)),
    ...wanted.map(([name, value]) => (value === undefined ? undefined : eq(event[name], value))),
  );
}
