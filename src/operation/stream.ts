import { streamFor } from "../account/stream.ts";
import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { findOperation } from "./find.ts";
import { renderOperation } from "./schema.ts";

const pace = { milliseconds: 100, millisecondsMax: 1000 };

/**
 * An operation as it goes: once at the start, then at each change, and `done` at its end.
 * @throws ApiError 404
 */
export async function streamOperation(
  context: Context,
  actor: Actor,
  id: string,
  lastEventId: string | undefined,
): Promise<Response> {
  let row = await findOperation(context, actor, id);
  let told = lastEventId;
  let isFirst = true;
  return streamFor(context, actor, pace, async () => {
    if (!isFirst) row = await findOperation(context, actor, id);
    isFirst = false;
    const isOver = row.finishedAt !== null;
    const version = `${row.status}-${row.stepsDone}-${row.attempts}-${row.updatedAt.getTime()}`;
    const isNews = version !== told || isOver;
    told = version;
    const event = { type: isOver ? "done" : "operation", id: version, data: renderOperation(row) };
    return { events: isNews ? [event] : [], isOver };
  });
}
