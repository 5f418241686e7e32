// Archives to and from a host.
import { StoredDump } from "../contract/dump.ts";
import { HostError } from "../contract/protocol.ts";
import type { ArchivePort } from "../core/archive-port.ts";
import type { Context } from "../core/context.ts";
import type { HostAccess } from "./command.ts";
import { getHost } from "./find.ts";
import { dumpToken } from "./token.ts";

/** The port over signed requests. */
export function archivePort(context: Pick<Context, "db">, access: HostAccess): ArchivePort {
  async function request(
    method: "GET" | "PUT",
    [hostId, dumpId]: readonly [string, string],
    { bytesMax = 0, content = null }: { bytesMax?: number; content?: ReadableStream | null } = {},
  ): Promise<Response> {
    const { hostUrl } = await getHost(context, hostId);
    const token = await dumpToken(access, access.hostKey, hostId, { method, dumpId, bytesMax });
    const headers = { authorization: `Bearer ${token}` };
    return access.fetch(new URL(`/dumps/${dumpId}`, hostUrl), { method, headers, body: content });
  }

  return {
    async fetch(hostId, dumpId) {
      const response = await request("GET", [hostId, dumpId]);
      const { body, headers } = response;
      if (response.ok && body !== null) {
        return { content: body, bytes: Number(headers.get("content-length")) };
      }
      const { code, message } = HostError.parse(await response.json()).error;
      if (code === "unknown_dump") return null;
      throw new Error(`Host refused a dump: ${response.status} ${code}: ${message}`);
    },
    async send(hostId, dumpId, content, bytesMax) {
      const response = await request("PUT", [hostId, dumpId], { bytesMax, content });
      const answer: unknown = await response.json();
      if (!response.ok) return { refusal: HostError.parse(answer).error };
      return { refusal: null, stored: StoredDump.parse(answer) };
    },
  };
}
