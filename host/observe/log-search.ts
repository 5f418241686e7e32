// The last lines about one database out of all logs, and those that come after. Files are read
// from their ends, in pieces, so that a long log costs what is asked of it.
import { open } from "node:fs/promises";
import { z } from "zod";
import type { LogLine } from "../../src/contract/log.ts";
import { entriesOf, type FoundLine, timeOf } from "./log-line.ts";
import {
  filesOf,
  type LogFile,
  type LogSource,
  type Place,
  pieceBytes,
  readOn,
  readPiece,
  textOf,
} from "./log-source.ts";

/** Bytes of one log a search looks at; one that follows comes back for more. */
const searchBytesMax = 16 * 1024 * 1024;
const followBytesMax = 4 * 1024 * 1024;

/** What is asked: the last lines, or those after a cursor or since a moment. */
export interface LogQuery {
  readonly database: string;
  readonly lines: number;
  readonly since?: string | undefined;
  readonly after?: string | undefined;
}

/** What was found, the oldest first, and where to go on. */
export interface FoundLog {
  readonly lines: LogLine[];
  readonly cursor: string;
}

/** A log that is searched. */
export interface SearchedLog {
  readonly name: string;
  /** The oldest first. */
  readonly files: () => readonly LogFile[];
  /** True for one that has lines about many databases. */
  readonly isShared: boolean;
  readonly parse: (entry: string) => FoundLine | null;
}

const _logOf = (directory: string, source: LogSource): SearchedLog => ({
  name: source.name,
  files: () => filesOf(directory, source),
  isShared: true,
  parse: source.parse,
});

/** Where reading stands in each log. */
const Cursor = z.record(z.string(), z.tuple([z.string(), z.int().min(0)]));
type Cursor = z.infer<typeof Cursor>;

interface Wanted extends LogQuery {
  readonly since: string;
}

function parseWanted(bytes: string, log: SearchedLog, wanted: Wanted): FoundLine | null {
  // Most lines are about others: those are not worth a look.
  if (log.isShared && !bytes.includes(wanted.database)) return null;
  const line = log.parse(textOf(bytes));
  return line?.database === wanted.database && line.at >= wanted.since ? line : null;
}

// The newest lines of one file, read backwards; `budget` bounds the bytes of all files of a log.
async function lastOfFile(
  file: LogFile,
  end: number,
  log: SearchedLog,
  wanted: Wanted,
  budget: { bytes: number },
): Promise<FoundLine[]> {
  const handle = await open(file.path);
  try {
    const found: FoundLine[][] = [];
    let count = 0;
    let rest = Buffer.alloc(0);
    for (let to = end; to > 0 && count < wanted.lines && budget.bytes > 0; ) {
      const from = Math.max(0, to - pieceBytes);
      const piece = Buffer.concat([await readPiece(handle, from, to), rest]);
      budget.bytes -= to - from;
      const begin = from === 0 ? 0 : beginOfEntries(piece);
      // What has no beginning in a megabyte is no entry of anybody's use.
      rest = begin > 4 * pieceBytes ? Buffer.alloc(0) : piece.subarray(0, begin);
      const entries = entriesOf(piece.toString("latin1", begin));
      const lines = entries.flatMap((bytes) => parseWanted(bytes, log, wanted) ?? []);
      found.unshift(lines);
      count += lines.length;
      to = from;
      if (isBefore(entries, wanted.since)) budget.bytes = 0;
    }
    return found.flat();
  } finally {
    await handle.close();
  }
}

/** Where the first entry after a line break begins; the length when none does. */
function beginOfEntries(piece: Buffer): number {
  for (let at = piece.indexOf(0x0a); at >= 0; at = piece.indexOf(0x0a, at + 1)) {
    if (piece[at + 1] !== 0x09) return at + 1;
  }
  return piece.length;
}

function isBefore(entries: readonly string[], since: string): boolean {
  const moment = entries.map(timeOf).find((at) => at !== "");
  return moment !== undefined && moment < since;
}

// A file's whole lines: what is half written now is for whoever follows.
async function endOfLines(file: LogFile): Promise<number> {
  const handle = await open(file.path);
  try {
    const from = Math.max(0, file.bytes - pieceBytes);
    const piece = await readPiece(handle, from, file.bytes);
    return from + piece.lastIndexOf(0x0a) + 1;
  } finally {
    await handle.close();
  }
}

async function searchBack(logs: readonly SearchedLog[], query: LogQuery): Promise<FoundLog> {
  const since = query.since === undefined ? "" : new Date(query.since).toISOString();
  const wanted = { ...query, since };
  const cursor: Cursor = {};
  const found: FoundLine[] = [];
  for (const log of logs) {
    const files = log.files();
    const newest = files.at(-1);
    const end = newest === undefined ? 0 : await endOfLines(newest);
    if (newest !== undefined) cursor[log.name] = [newest.id, end + (newest.missing ?? 0)];
    const budget = { bytes: searchBytesMax };
    let count = 0;
    for (const file of files.toReversed()) {
      if (count >= query.lines || budget.bytes <= 0) break;
      const bytes = file === newest ? end : file.bytes;
      const lines = await lastOfFile(file, bytes, log, wanted, budget);
      found.push(...lines);
      count += lines.length;
    }
  }
  found.sort((a, b) => compare(a.at, b.at));
  return { lines: found.slice(-query.lines).map(withoutDatabase), cursor: writeCursor(cursor) };
}

interface NextLine {
  readonly line: FoundLine;
  readonly place: Place;
  /** When it comes: never before another of its log that stands before it. */
  readonly at: string;
}

// The next lines of one log, and where reading stands when all of them are told.
async function nextOf(log: SearchedLog, wanted: Wanted, after?: Place) {
  const next: NextLine[] = [];
  let place = after;
  let bytes = 0;
  for await (const entries of readOn(log.files(), after)) {
    for (const entry of entries) {
      bytes += entry.bytes.length + 1;
      place = entry.place;
      const line = parseWanted(entry.bytes, log, wanted);
      const at = [line?.at ?? "", next.at(-1)?.at ?? ""].sort().at(-1) ?? "";
      if (line !== null) next.push({ line, place, at });
      if (next.length >= wanted.lines) return { log, next, place };
    }
    if (bytes >= followBytesMax) break;
  }
  return { log, next, place };
}

async function searchOn(
  logs: readonly SearchedLog[],
  query: LogQuery,
  before: Cursor,
): Promise<FoundLog> {
  const wanted = { ...query, since: "" };
  const read = [];
  for (const log of logs) read.push(await nextOf(log, wanted, before[log.name]));
  const all = read.flatMap(({ next }) => next).sort((a, b) => compare(a.at, b.at));
  const told = new Set(all.slice(0, query.lines));
  const places = read.map(({ log, next, place }): [string, Place | undefined] => {
    const count = next.filter((line) => told.has(line)).length;
    if (count === next.length) return [log.name, place];
    return [log.name, count === 0 ? before[log.name] : next[count - 1]?.place];
  });
  const known = places.filter(([, place]) => place !== undefined);
  const lines = [...told].map(({ line }) => withoutDatabase(line));
  return { lines, cursor: writeCursor(Object.fromEntries(known)) };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function withoutDatabase({ database: _, ...line }: FoundLine): LogLine {
  return line;
}

function writeCursor(cursor: Readonly<Record<string, Place | undefined>>): string {
  return Buffer.from(JSON.stringify(cursor)).toString("base64url");
}

function readCursor(text: string): Cursor | null {
  try {
    return Cursor.parse(JSON.parse(Buffer.from(text, "base64url").toString("utf8")));
  } catch {
    return null;
  }
}

/** Searches some logs. A cursor that is none of ours begins anew. */
export function searchIn(logs: readonly SearchedLog[], query: LogQuery): Promise<FoundLog> {
  const cursor = query.after === undefined ? null : readCursor(query.after);
  return cursor === null ? searchBack(logs, query) : searchOn(logs, query, cursor);
}
