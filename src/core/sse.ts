// Server-sent events: what a caller follows while it happens.

import { z } from "@hono/zod-openapi";
import type { Context } from "./context.ts";
import { messageOf } from "./error.ts";

/** One event; `data` goes as one line of JSON, with its type in it, as clients read that alone. */
export interface ServerEvent {
  readonly type: string;
  readonly data: Record<string, unknown>;
  /** What a client that comes back names in `Last-Event-ID`. */
  readonly id?: string;
}

/** One look: events since the last one, and whether there will be more. */
export interface Look {
  readonly events: readonly ServerEvent[];
  readonly isOver: boolean;
}

/** Headers of a client that follows. */
export const FollowHeaders = z.object({
  "last-event-id": z
    .string()
    .max(1000, "must be the id of an event")
    .optional()
    .openapi({ description: "The last event's `id`, to go on after it" }),
});

/** How often is looked. A request may ask D1 and others a thousand times in all. */
export interface Pace {
  /** After a look that brought something. */
  readonly milliseconds: number;
  /** After many that brought nothing. */
  readonly millisecondsMax: number;
}

const heartbeatMilliseconds = 15_000;
const minutesMax = 10;
// The last words of a stream that is not over.
const again: ServerEvent = { type: "timeout", data: { message: "Connect again to go on." } };

/**
 * A stream of what `look` brings, until it is over, the client goes, or ten minutes have passed.
 * A look that fails ends it too; the client is told to come back. `end` is called once it is over,
 * unless this process is lost first.
 */
export function streamEvents(
  context: Context,
  pace: Pace,
  look: () => Promise<Look>,
  end: () => Promise<unknown> = async () => undefined,
): Response {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const encoder = new TextEncoder();
  const write = (text: string) => writer.write(encoder.encode(text));
  // Rejects once the client is gone: workerd tells at a write, so at a heartbeat at the latest.
  const gone = writer.closed.then(() => undefined);
  gone.catch(() => undefined);
  follow(context, pace, look, { write, gone })
    .catch(() => undefined)
    .then(() => writer.close().catch(() => undefined))
    .then(() => end().catch((error) => logFailure(context, error)));
  return new Response(readable, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store, no-transform",
      "x-accel-buffering": "no",
    },
  });
}

interface Client {
  readonly write: (text: string) => Promise<void>;
  readonly gone: Promise<void>;
}

async function follow(
  context: Context,
  pace: Pace,
  look: () => Promise<Look>,
  { write, gone }: Client,
): Promise<void> {
  const time = () => context.now().getTime();
  const end = time() + minutesMax * 60_000;
  // Whoever stands between passes an answer on with its first byte.
  await write(": open\n\n");
  let lastWrite = time();
  let pause = pace.milliseconds;
  while (time() < end) {
    const found = await look().catch((error) => logFailure(context, error));
    if (found === null) break;
    const { events, isOver } = found;
    const isQuiet = time() - lastWrite >= heartbeatMilliseconds;
    const text = events.length === 0 && isQuiet ? ": heartbeat\n\n" : events.map(render).join("");
    if (text !== "") {
      await write(text);
      lastWrite = time();
    }
    if (isOver) return;
    pause = events.length > 0 ? pace.milliseconds : Math.min(pause * 1.5, pace.millisecondsMax);
    await Promise.race([context.pause(pause), gone]);
  }
  await write(render(again));
}

function logFailure(context: Context, error: unknown): null {
  const reason = messageOf(error);
  context.log({ level: "warning", message: "A stream ended early.", reason });
  return null;
}

function render({ type, data, id }: ServerEvent): string {
  const lines = [
    ...(id === undefined ? [] : [`id: ${id}`]),
    `event: ${type}`,
    `data: ${JSON.stringify({ type, ...data })}`,
  ];
  return `${lines.join("\n")}\n\n`;
}
