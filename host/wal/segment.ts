// Segments of WAL: their names, and what of one is written.
import { closeSync, existsSync, openSync, readdirSync, readSync } from "node:fs";
import { basename } from "node:path";
import { segmentBytes } from "../instance/size.ts";

const pageBytes = 8192;
const segmentsPerLog = 0x1_0000_0000 / segmentBytes;
// A page begins with 4 bytes of kind and 4 of timeline; then its own address.
const addressOffset = 8;

/** True for the name of a segment. */
export function isSegment(name: string): boolean {
  return /^[\dA-F]{24}$/.test(name);
}

/** True for the name of a timeline's history. */
export function isHistory(name: string): boolean {
  return /^[\dA-F]{8}\.history$/.test(name);
}

/** The number of a segment within its timeline. */
export function numberOf(name: string): number {
  const part = (at: number) => Number.parseInt(name.slice(at, at + 8), 16);
  return part(8) * segmentsPerLog + part(16);
}

/** The address of its first byte. */
function startOf(name: string): bigint {
  return BigInt(numberOf(name)) * BigInt(segmentBytes);
}

/** The address of a byte of a segment. */
export function lsnIn(name: string, offset: number): bigint {
  return startOf(name) + BigInt(offset);
}

/** The segment of a timeline that holds an address. */
export function segmentAt(timeline: string, lsn: bigint): string {
  return nameOf(timeline, Number(lsn / BigInt(segmentBytes)));
}

function nameOf(timeline: string, number: number): string {
  const part = (value: number) => value.toString(16).toUpperCase().padStart(8, "0");
  return timeline + part(Math.floor(number / segmentsPerLog)) + part(number % segmentsPerLog);
}

/** The timeline of a segment: 8 hexadecimal digits. */
export function timelineOf(name: string): string {
  return name.slice(0, 8);
}

/** The segment after it on the same timeline. */
export function segmentAfter(name: string): string {
  return nameOf(timelineOf(name), numberOf(name) + 1);
}

/** The address of the first byte after a segment, as Postgres writes addresses. */
export function endLsnOf(name: string): string {
  const end = startOf(segmentAfter(name));
  return `${(end >> 32n).toString(16)}/${(end & 0xffff_ffffn).toString(16)}`.toUpperCase();
}

/**
 * Reads on in a segment: bytes of whole pages from `offset`, as far as they are written, at most
 * `bytesMax`. The last page may be written further later. What a recycled file held before has
 * addresses of its own and is left out.
 */
export function readWritten(
  handle: number,
  name: string,
  offset: number,
  bytesMax: number,
): Buffer {
  const wanted = Math.min(bytesMax, segmentBytes - offset);
  const bytes = Buffer.allocUnsafe(wanted);
  const length = readSync(handle, bytes, 0, wanted, offset);
  const start = startOf(name) + BigInt(offset);
  let end = 0;
  while (end + pageBytes <= length) {
    if (bytes.readBigUInt64LE(end + addressOffset) !== start + BigInt(end)) break;
    end += pageBytes;
  }
  return bytes.subarray(0, end);
}

/** The begin of the page before an offset: it may have been written further since. */
export function lastPageBefore(offset: number): number {
  return Math.max(0, offset - pageBytes);
}

/** True when anything is written in the copy of a segment. */
export function isWritten(path: string): boolean {
  const handle = openSync(path, "r");
  try {
    return readWritten(handle, basename(path), 0, pageBytes).length > 0;
  } finally {
    closeSync(handle);
  }
}

/** Segments and histories of which there are copies in a directory. */
export function copiesIn(directory: string): readonly string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory).filter((name) => isSegment(name) || isHistory(name));
}
