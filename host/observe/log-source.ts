// The files of each log, and reading them on from a place. A place outlives the renaming of a file.
import { closeSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { entriesOf, type FoundLine, poolerLine, postgresLine, slowLine } from "./log-line.ts";

/** Bytes read at once: parsing them holds up nobody for long. */
export const pieceBytes = 256 * 1024;
/** No entry longer than this is told of. */
const entryBytesMax = 1024 * 1024;

/** A log: its files, and what stands in them. */
export interface LogSource {
  readonly name: string;
  readonly pattern: RegExp;
  /** True when files are renamed, so that a name does not say which file it is. */
  readonly isRenamed: boolean;
  readonly parse: (entry: string) => FoundLine | null;
}

function _pooler(mode: "transaction" | "session"): LogSource {
  const pattern = new RegExp(`^pgbouncer-${mode}\\.log(\\.1)?$`);
  return { name: mode, pattern, isRenamed: true, parse: (entry) => poolerLine(entry, mode) };
}

export const postgresLog: LogSource = {
  name: "postgres",
  pattern: /^postgres-.*\.log$/,
  isRenamed: false,
  parse: postgresLine,
};

const _slowLog: LogSource = {
  name: "slow",
  pattern: /^slow-.*\.log$/,
  isRenamed: false,
  parse: slowLine,
};

/** A file as it was when it was looked at. */
export interface LogFile {
  readonly id: string;
  readonly path: string;
  readonly bytes: number;
  readonly changedAt: number;
  /** Bytes that are missing at its begin: places go on as if they were there. */
  readonly missing?: number;
}

/** A file, and how much of it was read. */
export type Place = readonly [id: string, offset: number];

const beginBytes = 48;

// What a log begins with, a moment and a process, is its alone; an inode would be used again.
function beginning(path: string): string {
  const file = openSync(path, "r");
  try {
    const buffer = Buffer.alloc(beginBytes);
    const length = readSync(file, buffer, 0, beginBytes, 0);
    if (length < beginBytes) return "";
    return buffer.toString("latin1").replace(/\].*$/s, "").replaceAll(/\D/g, "");
  } finally {
    closeSync(file);
  }
}

/** A log's files, the oldest first; one that has hardly begun is not among them. */
export function filesOf(directory: string, { pattern, isRenamed }: LogSource): LogFile[] {
  const names = readdirSync(directory).filter((name) => pattern.test(name));
  // `.1` is what was set aside, so older; other names sort by their time.
  const isOld = (name: string) => name.endsWith(".1");
  names.sort((a, b) => Number(isOld(b)) - Number(isOld(a)) || (a < b ? -1 : 1));
  return names.flatMap((name) => {
    const path = join(directory, name);
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) return [];
    const id = isRenamed ? beginning(path) : name;
    return id === "" ? [] : [{ id, path, bytes: found.size, changedAt: found.mtimeMs }];
  });
}

/** The bytes between two places of a file. */
export async function readPiece(file: FileHandle, from: number, to: number): Promise<Buffer> {
  const buffer = Buffer.alloc(to - from);
  const { bytesRead } = await file.read(buffer, 0, buffer.length, from);
  return buffer.subarray(0, bytesRead);
}

/** An entry as its bytes read as Latin-1, and the place after it. */
export interface PlacedEntry {
  readonly bytes: string;
  readonly place: Place;
}

/** What an entry says. */
export function textOf(bytes: string): string {
  return Buffer.from(bytes, "latin1").toString("utf8");
}

// Whole entries of a file from an offset on, a piece at a time. One still being written waits.
async function* readFile(file: LogFile, offset: number): AsyncGenerator<PlacedEntry[]> {
  const handle = await open(file.path);
  try {
    let from = offset;
    let size = pieceBytes;
    while (from < file.bytes) {
      const piece = await readPiece(handle, from, Math.min(file.bytes, from + size));
      const whole = piece.lastIndexOf(0x0a) + 1;
      if (whole === 0 && piece.length < size) return;
      // No end in so much is no entry of anybody's use.
      const used = whole === 0 && size === entryBytesMax ? size : whole;
      size = used === 0 ? entryBytesMax : pieceBytes;
      const begin = from;
      from += used;
      if (used > 0) {
        yield placesOf(piece.toString("latin1", 0, used), file.id, begin + (file.missing ?? 0));
      }
    }
  } finally {
    await handle.close();
  }
}

function placesOf(bytes: string, id: string, begin: number): PlacedEntry[] {
  let at = begin;
  return entriesOf(bytes.replace(/\n$/, "")).map((entry) => {
    at += entry.length + 1;
    return { bytes: entry, place: [id, at] };
  });
}

/** Entries after a place, or all when it is of no file that is still there. */
export async function* readOn(
  files: readonly LogFile[],
  after: Place | undefined,
): AsyncGenerator<PlacedEntry[]> {
  const at = files.findIndex(({ id }) => id === after?.[0]);
  for (const [index, file] of files.entries()) {
    if (index < at) continue;
    const from = index === at ? (after?.[1] ?? 0) - (file.missing ?? 0) : 0;
    yield* readFile(file, Math.max(0, from));
  }
}
