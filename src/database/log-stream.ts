// A database's log as it grows, by asking its host each second for what came after a cursor.
import { streamFor } from "../account/stream.ts";
import type { LogRequest } from "../contract/log.ts";
import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { ApiError } from "../core/error.ts";
import { seal, unseal } from "../core/seal.ts";
import type { Look } from "../core/sse.ts";
import { ask } from "../host/ask.ts";
import { findDatabase } from "./find.ts";
import { renderLine } from "./observe-schema.ts";
import { permit } from "./permit.ts";
import type { DatabaseRow } from "./table.ts";

const pace = { milliseconds: 1000, millisecondsMax: 1000 };
const checkMilliseconds = 15_000;
const linesPerLook = 1000;

/**
 * Streams the lines asked for, or those after an event's id, then those that come, until the
 * database is gone. An id that is none of this database's begins with the lines.
 * @throws ApiError 503 when the host does not answer at the start; later it is waited for.
 */
export async function streamLogs(
  context: Context,
  actor: Actor,
  row: DatabaseRow,
  request: LogRequest,
  lastEventId: string | undefined,
): Promise<Response> {
  const after = await openCursor(context, row, lastEventId);
  let wanted: LogRequest = after === null ? request : { lines: linesPerLook, after };
  const look = async (): Promise<Look> => {
    const input = { database: row.databaseName, ...wanted };
    const { lines, cursor } = await context.host.command(row.hostId, "database.logs", input);
    wanted = { lines: linesPerLook, after: cursor };
    const events = lines.map((line) => ({ type: "log", data: renderLine(line) }));
    const last = events.pop();
    // The cursor stands after the last line: with an earlier one the others would come again.
    if (last === undefined) return nothing;
    const id = await seal(context.keyring, context, purposeOf(row), cursor);
    return { events: [...events, { ...last, id }], isOver: false };
  };
  let first: Look | null = await ask(look);
  let checkAt = context.now().getTime() + checkMilliseconds;
  return streamFor(context, actor, pace, async () => {
    const held = first;
    first = null;
    if (held !== null) return held;
    if (context.now().getTime() >= checkAt) {
      if (await isGone(context, actor, row.id)) return gone;
      checkAt = context.now().getTime() + checkMilliseconds;
    }
    return look().catch(() => nothing);
  });
}

const nothing: Look = { events: [], isOver: false };
const gone: Look = {
  events: [{ type: "done", data: { message: "The database is gone." } }],
  isOver: true,
};

// Sealed, as it says where a host keeps everybody's lines, and a client could say another place.
async function openCursor(
  context: Context,
  row: DatabaseRow,
  id: string | undefined,
): Promise<string | null> {
  if (id === undefined) return null;
  return unseal(context.keyring, purposeOf(row), id).catch(() => null);
}

function purposeOf(row: DatabaseRow): string {
  return `log-cursor:${row.id}`;
}

/** True when the caller may not look into the database any more. */
async function isGone(context: Context, actor: Actor, id: string): Promise<boolean> {
  try {
    const { row } = await findDatabase(context, actor, id);
    await permit(context, row, "observe");
    return false;
  } catch (error) {
    if (error instanceof ApiError) return true;
    throw error;
  }
}
