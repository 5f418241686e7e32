// Reads a stream of server-sent events as a client of the platform does.
import type { RunningSystem } from "./system.ts";

/** One event; `data` is its line of JSON. */
export interface FollowedEvent {
  readonly id: string | undefined;
  readonly type: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: tests read whatever JSON came.
  readonly data: any;
}

/** The events of a stream as they come, until it ends or the caller stops to read. */
export async function* follow(
  system: RunningSystem,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): AsyncGenerator<FollowedEvent, undefined> {
  const { api_url, api_key } = system.dev();
  const going = new AbortController();
  const accept = "text/event-stream, application/json, */*";
  const response = await fetch(`${api_url}${path}`, {
    headers: { authorization: `Bearer ${api_key}`, accept, ...headers },
    signal: going.signal,
  });
  const type = response.headers.get("content-type");
  if (response.body === null || type?.startsWith("text/event-stream") !== true) {
    throw new Error(`This is no stream: ${response.status} ${await response.text()}`);
  }
  try {
    let text = "";
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      const frames = (text + chunk).split("\n\n");
      text = frames.pop() ?? "";
      yield* frames.filter((frame) => !frame.startsWith(":")).map(parse);
    }
  } finally {
    going.abort();
  }
}

function parse(frame: string): FollowedEvent {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(frame)?.[1];
  return { id: field("id"), type: field("event"), data: JSON.parse(field("data") ?? "null") };
}
