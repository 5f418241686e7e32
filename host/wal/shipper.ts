// Takes the WAL of an instance out of it as it is written, page by page, into a directory nothing
// but the host program writes to; finished segments go to the repository. Postgres runs no archiver
// and sends no stream: an idle instance costs a look at one file, and a segment need not be full to
// be safe. A slot keeps Postgres from removing what was not taken yet.
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { readIfExists, writeAtomically } from "../file.ts";
import type { Box } from "../instance/box.ts";
import { listInside, openInside } from "../instance/inside.ts";
import { segmentBytes } from "../instance/size.ts";
import { isSegment, lastPageBefore, readWritten, segmentAfter } from "./segment.ts";

const chunkBytes = 256 * 1024;

/** What a shipper works with. */
export interface ShipperOptions {
  readonly box: Box;
  /** Holds the segments that were taken, also those that are not finished. */
  readonly directory: string;
  /** Keeps a finished segment for good. */
  readonly keep: (segment: string) => Promise<void>;
  /** Lets Postgres remove what is before the end of a segment. */
  readonly release: (segment: string) => Promise<void>;
}

/** Takes one instance's WAL. */
export interface Shipper {
  /** Takes what was written since; true when anything was. */
  take(): Promise<boolean>;
  /** The segment that is being written, and how much of it was taken. */
  position(): { readonly segment: string; readonly bytes: number } | null;
}

/** The segment that is being taken. */
interface Current {
  readonly segment: string;
  readonly source: number;
  readonly copy: number;
  offset: number;
  /** When the source had last been written to, at the last look. */
  seen: bigint;
}

/** Removes copies of segments that are in the repository, and older than one that is still read. */
export function pruneCopies(directory: string, oldest: string): void {
  const kept = readIfExists(join(directory, "kept"))?.trim() ?? "";
  for (const name of readdirSync(directory).filter(isSegment)) {
    // Timelines are not compared: an older one is no longer than the newer.
    if (name.slice(8) < oldest.slice(8) && name <= kept) rmSync(join(directory, name));
  }
}

/** Makes the shipper of one instance; it goes on where a former one ended. */
export function createShipper({ box, directory, keep, release }: ShipperOptions): Shipper {
  const keptFile = join(directory, "kept");
  let current: Current | undefined;

  const segmentsThere = () =>
    listInside(box.place.box, "data", "pg_wal").filter(isSegment).toSorted();

  /** The first that was not kept: of the newest timeline, when there are several. */
  function firstWanted(): string | undefined {
    const there = segmentsThere();
    const timeline = there.at(-1)?.slice(0, 8) ?? "";
    const kept = readIfExists(keptFile)?.trim();
    const own = there.filter((name) => name.startsWith(timeline));
    return kept === undefined || !kept.startsWith(timeline)
      ? own[0]
      : own.find((name) => name > kept);
  }

  function openSegment(segment: string): Current | undefined {
    const source = openInside(box.place.box, "data", "pg_wal", segment);
    if (source === undefined) return undefined;
    mkdirSync(directory, { recursive: true, mode: 0o711 });
    const copy = openSync(join(directory, segment), "w", 0o644);
    // Recovery takes a segment of the right size alone; what is not written is a hole.
    ftruncateSync(copy, segmentBytes);
    return { segment, source, copy, offset: 0, seen: -1n };
  }

  function close(): void {
    if (current === undefined) return;
    closeSync(current.source);
    closeSync(current.copy);
    current = undefined;
  }

  /** Copies what is written by now; true when that was more than before. */
  async function copyWritten(at: Current): Promise<boolean> {
    const { mtimeNs } = fstatSync(at.source, { bigint: true });
    if (mtimeNs === at.seen) return false;
    const from = lastPageBefore(at.offset);
    let offset = from;
    for (;;) {
      const bytes = readWritten(at.source, at.segment, offset, chunkBytes);
      if (bytes.length === 0) break;
      writeSync(at.copy, bytes, 0, bytes.length, offset);
      offset += bytes.length;
      if (bytes.length < chunkBytes) break;
      await setImmediate();
    }
    [at.offset, at.seen] = [offset, mtimeNs];
    return true;
  }

  /** True once nothing more is written to it: Postgres writes to the next one. */
  function isFinished({ segment }: Current): boolean {
    const next = openInside(box.place.box, "data", "pg_wal", segmentAfter(segment));
    if (next === undefined) return false;
    const isWritten = readWritten(next, segmentAfter(segment), 0, 8192).length > 0;
    closeSync(next);
    return isWritten;
  }

  async function finish(at: Current): Promise<void> {
    // It was written to between the look at it and the look at the next one.
    at.seen = -1n;
    await copyWritten(at);
    await keep(at.segment);
    writeAtomically(keptFile, `${at.segment}\n`);
    close();
    await release(at.segment);
  }

  async function take(): Promise<boolean> {
    let hasTaken = false;
    for (;;) {
      if (current === undefined) {
        const segment = firstWanted();
        current = segment === undefined ? undefined : openSegment(segment);
        if (current === undefined) return hasTaken;
      }
      const at = current;
      if (await copyWritten(at)) hasTaken = true;
      if (!isFinished(at)) return hasTaken;
      await finish(at);
    }
  }

  return {
    take,
    position: () =>
      current === undefined ? null : { segment: current.segment, bytes: current.offset },
  };
}
