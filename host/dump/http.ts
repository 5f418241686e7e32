// Dumps on their way out and archives on their way in, streamed: neither is ever whole in memory.
import type { ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { HostProblem } from "../base/problem.ts";
import type { Bytes } from "./cipher-stream.ts";
import type { DumpStore } from "./store.ts";

const magic = "PGDMP";

/** Answers with a dump, decrypted. @throws HostProblem 404 */
export async function sendDump(
  store: DumpStore,
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

/** What comes, unless it is no archive or larger than allowed. @throws HostProblem 413, 422 */
export async function* archiveOnly(source: Bytes, bytesMax: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  let head = "";
  for await (const chunk of source) {
    bytes += chunk.length;
    head = (head + chunk.toString("latin1", 0, magic.length)).slice(0, magic.length);
    if (!magic.startsWith(head)) throw notArchive();
    if (bytes > bytesMax) {
      throw new HostProblem(413, "archive_too_large", `The archive has over ${bytesMax} bytes.`);
    }
    yield chunk;
  }
  if (bytes < magic.length) throw notArchive();
}

function notArchive(): HostProblem {
  const message = "This is no archive of pg_dump's custom format: make it with pg_dump -Fc.";
  return new HostProblem(422, "not_an_archive", message);
}
