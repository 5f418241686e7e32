// Archives on their way between a caller and a host. Streams, which is why they are no commands:
// those are JSON.
import type { StoredDump } from "../contract/dump.ts";

/** An archive as it comes. */
export interface Archive {
  readonly content: ReadableStream<Uint8Array>;
  readonly bytes: number;
}

/** What became of an archive that was sent; a refusal is in the host's own words. */
export type Sent =
  | { readonly refusal: null; readonly stored: StoredDump }
  | { readonly refusal: { readonly code: string; readonly message: string } };

/** Moves archives; nothing of them is kept on the way. Each throws when the host is silent. */
export interface ArchivePort {
  /** A dump's content; null when the host has none of that id. */
  fetch(hostId: string, dumpId: string): Promise<Archive | null>;
  /** Has the host keep what comes, up to so many bytes. */
  send(
    hostId: string,
    dumpId: string,
    content: ReadableStream<Uint8Array>,
    bytesMax: number,
  ): Promise<Sent>;
}
