// Dumps on their way out and archives on their way in, streamed: neither is ever whole in memory.
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import type { StoredDump } from "../src/contract/host.ts";
import type { Dumps } from "./dump-queue.ts";

/** Answers with a dump, decrypted. @throws HostProblem 404 */
export async function sendDump(
  { store }: Dumps,
  id: string,
  response: ServerResponse,
): Promise<void> {
  const { facts, content } = await store.read(id);
  response.writeHead(200, {
    "content-type": "application/octet-stream",
    "content-length": facts.size_bytes,
    "cache-control": "no-store",
  });
  await pipeline(content, response);
}

/** Keeps an archive. @throws HostProblem 409, 413, 422 */
export async function receiveDump(
  dumps: Dumps,
  id: string,
  request: IncomingMessage,
  bytesMax: number,
): Promise<StoredDump> {
  return dumps.receive(id, request, bytesMax);
}
