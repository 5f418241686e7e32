import { streamFor } from "../account/stream.ts";
import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { findRestore } from "./find.ts";
import { renderRestore } from "./schema.ts";

const pace = { milliseconds: 100, millisecondsMax: 1000 };

/**
 * A restore as it goes: once at the start, then at each change of how far it is, and `done` at its
 * end.
 * @throws ApiError 404
 */
export async function streamRestore(
  context: Context,
  actor: Actor,
  id: string,
  lastEventId: string | undefined,
): Promise<Response> {
  let row = await findRestore(context, actor, id);
  let told = lastEventId;
  let isFirst = true;
  return streamFor(context, actor, pace, async () => {
    if (!isFirst) row = await findRestore(context, actor, id);
    isFirst = false;
    const isOver = row.finishedAt !== null;
    const { step, bytes_restored: bytes, replayed_lsn: lsn, position } = row.progress ?? {};
    const passed = row.passedOver.length;
    const version = [row.state, step, position, bytes, lsn, passed].join("-");
    const isNews = version !== told || isOver;
    told = version;
    const event = { type: isOver ? "done" : "restore", id: version, data: renderRestore(row) };
    return { events: isNews ? [event] : [], isOver };
  });
}
