// Events as they are recorded, to those who follow. Law: a place in the stream is the number the
// insert gave an event, which is the order of commits; so what comes after a place is never missing
// and never comes twice, however often a client is cut off.
import { streamFor } from "../account/stream.ts";
import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import type { ServerEvent } from "../core/sse.ts";
import { type EventFilter, followEvents, newestSeq, seqOfPlace } from "./find.ts";
import { renderEvent } from "./schema.ts";
import type { EventRow } from "./table.ts";

// Ten minutes of a busy stream are some 700 looks at D1 and 200 at its key, of the thousand
// questions that a request may ask.
const pace = { milliseconds: 850, millisecondsMax: 1000 };
const eventsAtOnce = 500;

/**
 * The actor's events that match from now on, or from after `place`: the id of an event, or a
 * `next_cursor`.
 * @throws ApiError 410 EVENT_GONE, 422, and 429 TOO_MANY_STREAMS
 */
export async function streamAllEvents(
  context: Context,
  actor: Actor,
  filter: EventFilter,
  place: string | undefined,
): Promise<Response> {
  let afterSeq = await (place === undefined
    ? newestSeq(context)
    : seqOfPlace(context, actor, place));
  const look = async () => {
    const found = await followEvents(context, actor, filter, { limit: eventsAtOnce, afterSeq });
    afterSeq = found.lastSeq;
    return { events: found.rows.map(render), isOver: false };
  };
  return streamFor(context, actor, pace, look);
}

function render(row: EventRow): ServerEvent {
  const data = { ...renderEvent(row), ts: row.occurredAt.toISOString() };
  return { type: row.type, id: row.id, data };
}
