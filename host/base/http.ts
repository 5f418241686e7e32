// What every route of the host's HTTP does with requests and answers.
import type { IncomingMessage, ServerResponse } from "node:http";
import { HostProblem } from "./problem.ts";

const bodyMilliseconds = 30_000;

/** Answers with JSON. */
export function send(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
  });
  response.end(text);
}

/** Has the connection end after an answer to a request that is not read to its end. */
export function closeUnlessRead(response: ServerResponse): void {
  if (!response.req.complete) response.setHeader("connection", "close");
}

/**
 * The whole body; it has half a minute to arrive. `onBytes` hears of every piece and may throw.
 * @throws HostProblem 413 when it is longer than `bytesMax`.
 */
export async function readBody(
  request: IncomingMessage,
  bytesMax: number,
  onBytes: (bytes: number) => void = () => undefined,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const timeUp = setTimeout(() => request.destroy(), bodyMilliseconds);
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      bytes += chunk.length;
      if (bytes > bytesMax) {
        throw new HostProblem(413, "body_too_large", `The body may have ${bytesMax} bytes.`);
      }
      onBytes(chunk.length);
      chunks.push(chunk);
    }
  } finally {
    clearTimeout(timeUp);
  }
  return Buffer.concat(chunks);
}
