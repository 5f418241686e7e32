// Archives that go through a test's hands.
import type { ArchivePort, Sent } from "../../src/core/archive-port.ts";
import type { Things } from "./fake-host.ts";
import { aDump } from "./fake-recovery.ts";

/** A port to the dumps of the host in memory; the content of each is `PGDMP`. */
export function fakeArchives({ dumps }: Things): ArchivePort {
  return {
    fetch: async (_, dumpId) => {
      if (!dumps.has(dumpId)) return null;
      const { body } = new Response("PGDMP");
      return body === null ? null : { content: body, bytes: 5 };
    },
    send: async (_, dumpId, content, bytesMax): Promise<Sent> => {
      const text = new TextDecoder().decode(await new Response(content).arrayBuffer());
      const refuse = (code: string) => ({ refusal: { code, message: "The host said no." } });
      if (!text.startsWith("PGDMP")) return refuse("not_an_archive");
      if (text.length > bytesMax) return refuse("archive_too_large");
      const stored = { ...aDump(dumpId, "received"), size_bytes: text.length };
      dumps.set(dumpId, stored);
      return { refusal: null, stored };
    },
  };
}
