// One segment of WAL that is being taken out of an instance, page by page.
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { Box } from "../instance/box.ts";
import { openInside } from "../instance/inside.ts";
import { segmentBytes } from "../instance/size.ts";
import { lastPageBefore, readWritten } from "./segment.ts";

const chunkBytes = 256 * 1024;

/** A segment, and how much of it was taken. */
export interface Taking {
  readonly segment: string;
  readonly source: number;
  readonly copy: number;
  offset: number;
  /** When the source had last been written to, at the last look; nanoseconds. */
  seen: bigint;
  close(): void;
}

/** Opens a segment of an instance and a copy of it; undefined when it is not there. */
export function openTaking(box: Box, segment: string, directory: string): Taking | undefined {
  const source = openInside(box.place.box, "data", "pg_wal", segment);
  if (source === undefined) return undefined;
  mkdirSync(directory, { recursive: true, mode: 0o711 });
  // A recovery may be reading what is there of it: it is written over, and never emptied.
  const copy = openSync(join(directory, segment), constants.O_RDWR | constants.O_CREAT, 0o644);
  // Recovery takes a segment of the right size alone; what is not written is a hole.
  ftruncateSync(copy, segmentBytes);
  fchmodSync(copy, 0o644);
  const close = () => {
    closeSync(source);
    closeSync(copy);
  };
  return { segment, source, copy, offset: 0, seen: -1n, close };
}

/** How a segment is looked at. */
export interface Look {
  /** Also when its file seems not to have been written to since. */
  readonly isSure: boolean;
  /** From its begin: what was taken may have been written anew. */
  readonly isWhole: boolean;
}

/** Copies what is written by now; true when it was written to since the last look. */
export async function takeWritten(taking: Taking, { isSure, isWhole }: Look): Promise<boolean> {
  const { mtimeNs } = fstatSync(taking.source, { bigint: true });
  if (mtimeNs === taking.seen && !isSure) return false;
  // The last page may have been written further.
  let offset = isWhole ? 0 : lastPageBefore(taking.offset);
  for (;;) {
    const bytes = readWritten(taking.source, taking.segment, offset, chunkBytes);
    writeSync(taking.copy, bytes, 0, bytes.length, offset);
    offset += bytes.length;
    if (bytes.length < chunkBytes) break;
    await setImmediate();
  }
  taking.offset = offset;
  taking.seen = mtimeNs;
  return true;
}

/** True when the first page of a segment is written, be it since a crash or before. */
export function isBegun(box: Box, segment: string): boolean {
  const handle = openInside(box.place.box, "data", "pg_wal", segment);
  if (handle === undefined) return false;
  const isWritten = readWritten(handle, segment, 0, 8192).length > 0;
  closeSync(handle);
  return isWritten;
}
