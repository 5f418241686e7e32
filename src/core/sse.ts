// Server-sent events: what a caller follows while it happens.
import type { Context } from "./context.ts";

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

/** How often is looked, and for how long. */
export interface Pace {
  /** After a look that brought something. */
  readonly milliseconds: number;
  /** After many that brought nothing. */
  readonly millisecondsMax: number;
}

const heartbeatMilliseconds = 15_000;
const minutesMax = 10;

/** A stream of what `look` brings, until it is over, the client goes, or ten minutes have passed. */
export function streamEvents(context: Context, pace: Pace, look: () => Promise<Look>): Response {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const encoder = new TextEncoder();
  // Rejects once the client is gone, which ends the loop.
  const write = (text: string) => writer.write(encoder.encode(text));
  follow(context, pace, look, write)
    .catch(() => undefined)
    .finally(() => writer.close().catch(() => undefined));
  return new Response(readable, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    },
  });
}

async function follow(
  context: Context,
  pace: Pace,
  look: () => Promise<Look>,
  write: (text: string) => Promise<void>,
): Promise<void> {
  const end = context.now().getTime() + minutesMax * 60_000;
  let lastWrite = context.now().getTime();
  let pause = pace.milliseconds;
  while (context.now().getTime() < end) {
    const { events, isOver } = await look();
    const isQuiet = context.now().getTime() - lastWrite >= heartbeatMilliseconds;
    const text = events.length === 0 && isQuiet ? ": heartbeat\n\n" : events.map(render).join("");
    if (text !== "") {
      await write(text);
      lastWrite = context.now().getTime();
    }
    if (isOver) return;
    pause = events.length > 0 ? pace.milliseconds : Math.min(pause * 1.5, pace.millisecondsMax);
    await context.pause(pause);
  }
  await write(render({ type: "timeout", data: { message: "Connect again to go on." } }));
}

function render({ type, data, id }: ServerEvent): string {
  const lines = [
    ...(id === undefined ? [] : [`id: ${id}`]),
    `event: ${type}`,
    `data: ${JSON.stringify({ type, ...data })}`,
  ];
  return `${lines.join("\n")}\n\n`;
}
