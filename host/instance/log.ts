// Keeps what a server says within bounds: any tenant can have it say as much as it likes. The file
// is cut where it is, as the server goes on adding to it.
import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync, truncateSync } from "node:fs";
import { writeAtomically } from "../base/file.ts";

const bytesMax = 16 * 1024 ** 2;
const keptBytes = 1024 ** 2;

/** A log as it is on disk. */
export interface LogState {
  /** Tells it from what is in its place after it was cut; empty when it has hardly begun. */
  readonly id: string;
  readonly bytes: number;
  readonly changedAt: number;
}

const beginBytes = 48;

/** Reads from a log, from one offset on. */
export function readLog(handle: number, from: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  return buffer.subarray(0, readSync(handle, buffer, 0, length, from));
}

/** Has work done with a log that is open; undefined when there is none. */
export function withLog<Result>(
  path: string,
  flags: "r" | "r+",
  work: (handle: number) => Result,
): Result | undefined {
  let handle: number;
  try {
    handle = openSync(path, flags);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    return work(handle);
  } finally {
    closeSync(handle);
  }
}

/** How a log is now. What it begins with, a moment and a process, is its alone. */
export function stateOf(handle: number): LogState {
  const { size, mtimeMs } = fstatSync(handle);
  const begin = readLog(handle, 0, beginBytes);
  const digest = createHash("sha256").update(begin).digest("hex").slice(0, 8);
  return { id: begin.length < beginBytes ? "" : digest, bytes: size, changedAt: mtimeMs };
}

/**
 * Cuts a log that is too long; its last part is beside it, with `.1`, after a line that says what
 * log it was and how much of it is missing there. True when it was cut.
 */
export function cutLog(file: string, most = bytesMax, kept = keptBytes): boolean {
  const isCut = withLog(file, "r", (handle) => {
    const { id, bytes } = stateOf(handle);
    if (bytes <= most) return false;
    const from = Math.max(0, bytes - kept);
    const tail = readLog(handle, from, kept).toString("latin1");
    writeAtomically(`${file}.1`, Buffer.from(`cut ${id} ${from}\n${tail}`, "latin1"));
    return true;
  });
  if (isCut) truncateSync(file, 0);
  return isCut ?? false;
}

const cutForm = /^cut ([0-9a-f]{8}) (\d+)\n/;

/** What was cut from a log: its state, and how many bytes less stand before each place. */
export function readCut(
  file: string,
): { readonly state: LogState; readonly missing: number } | undefined {
  return withLog(`${file}.1`, "r", (handle) => {
    const [header = "", id = "", from = "0"] =
      cutForm.exec(readLog(handle, 0, 64).toString("latin1")) ?? [];
    return { state: { ...stateOf(handle), id }, missing: Number(from) - header.length };
  });
}
