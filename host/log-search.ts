// The last lines about one database out of all logs, and those that come after. Files are read
// from their ends, in pieces, so that a long log costs what is asked of it.
import { readdirSync, statSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { LogLine } from "../src/contract/host.ts";
import { type FoundLine, poolerLine, postgresLine, slowLine } from "./log-line.ts";

const pieceBytes = 1024 * 1024;
const readBytesMax = 64 * pieceBytes;
const followBytesMax = 4 * pieceBytes;

interface Source {
  readonly name: string;
  /** Its files in a directory, the oldest first. */
  readonly pattern: RegExp;
  readonly parse: (text: string) => FoundLine | null;
}

const sources: readonly Source[] = [
  { name: "postgres", pattern: /^postgres-.*\.json$/, parse: postgresLine },
  { name: "slow", pattern: /^slow-.*\.json$/, parse: slowLine },
  {
    name: "transaction",
    pattern: /^pgbouncer-transaction\.log(\.1)?$/,
    parse: (text) => poolerLine(text, "transaction"),
  },
  {
    name: "session",
    pattern: /^pgbouncer-session\.log(\.1)?$/,
    parse: (text) => poolerLine(text, "session"),
  },
];

/** Where reading stands in each source: a file by its inode, as it may be renamed. */
const Cursor = z.record(z.string(), z.tuple([z.number(), z.number()]));
type Cursor = z.infer<typeof Cursor>;

interface LogFile {
  readonly path: string;
  readonly inode: number;
  readonly bytes: number;
}

// `.1` is what was set aside, so older; other names sort by their time.
function filesOf(directory: string, { pattern }: Source): LogFile[] {
  const names = readdirSync(directory).filter((name) => pattern.test(name));
  const isOld = (name: string) => name.endsWith(".1");
  const sorted = names.sort((a, b) => Number(isOld(b)) - Number(isOld(a)) || (a < b ? -1 : 1));
  return sorted.flatMap((name) => {
    const path = join(directory, name);
    const found = statSync(path, { throwIfNoEntry: false });
    return found === undefined ? [] : [{ path, inode: found.ino, bytes: found.size }];
  });
}

async function readPiece(file: FileHandle, from: number, to: number): Promise<Buffer> {
  const buffer = Buffer.alloc(to - from);
  const { bytesRead } = await file.read(buffer, 0, buffer.length, from);
  return buffer.subarray(0, bytesRead);
}

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

type Wanted = (line: FoundLine | null) => line is FoundLine;

// The newest `lines` of one file that are wanted, read backwards; `budget` bounds the bytes.
async function lastOfFile(
  file: LogFile,
  parse: Source["parse"],
  isWanted: Wanted,
  limits: { readonly lines: number; readonly since: string; budget: number },
): Promise<FoundLine[]> {
  const handle = await open(file.path);
  try {
    const found: FoundLine[] = [];
    let end = file.bytes;
    let rest = Buffer.alloc(0);
    while (end > 0 && found.length < limits.lines && limits.budget > 0) {
      const from = Math.max(0, end - pieceBytes);
      const piece = Buffer.concat([await readPiece(handle, from, end), rest]);
      limits.budget -= end - from;
      // The first line may begin in the piece before.
      const whole = from > 0 ? piece.indexOf(0x0a) + 1 : 0;
      rest = piece.subarray(0, whole);
      const text = piece.subarray(whole).toString("utf8");
      const wanted = text.split("\n").map(parse).filter(isWanted);
      found.unshift(...wanted);
      const [first] = wanted;
      if (first !== undefined && first.at < limits.since) break;
      end = from;
    }
    return found.slice(-limits.lines);
  } finally {
    await handle.close();
  }
}

// Whole lines from a place on; a line that is still being written is for the next time.
async function restOfFile(file: LogFile, from: number, parse: Source["parse"], isWanted: Wanted) {
  const to = Math.min(file.bytes, from + followBytesMax);
  if (to <= from) return { lines: [], end: from };
  const handle = await open(file.path);
  try {
    const piece = await readPiece(handle, from, to);
    const last = piece.lastIndexOf(0x0a) + 1;
    // No end in so much is no line of anybody's use.
    const whole = last === 0 && piece.length === followBytesMax ? piece.length : last;
    const text = piece.subarray(0, whole).toString("utf8");
    return { lines: text.split("\n").map(parse).filter(isWanted), end: from + whole };
  } finally {
    await handle.close();
  }
}

async function searchBack(directory: string, query: LogQuery): Promise<FoundLog> {
  const { database, lines, since = "" } = query;
  const isWanted = (line: FoundLine | null): line is FoundLine =>
    line !== null && line.database === database && line.at >= since;
  const limits = { lines, since, budget: readBytesMax };
  const cursor: Cursor = {};
  const found: FoundLine[] = [];
  for (const source of sources) {
    const files = filesOf(directory, source);
    const newest = files.at(-1);
    if (newest !== undefined) cursor[source.name] = [newest.inode, newest.bytes];
    let left = lines;
    for (const file of files.reverse()) {
      if (left <= 0 || limits.budget <= 0) break;
      const some = await lastOfFile(file, source.parse, isWanted, limits);
      found.push(...some);
      left -= some.length;
    }
  }
  return { lines: inOrder(found).slice(-lines), cursor: writeCursor(cursor) };
}

async function searchOn(directory: string, query: LogQuery, before: Cursor): Promise<FoundLog> {
  const isWanted = (line: FoundLine | null): line is FoundLine =>
    line !== null && line.database === query.database;
  const cursor: Cursor = {};
  const found: FoundLine[] = [];
  for (const source of sources) {
    const files = filesOf(directory, source);
    const [inode = 0, offset = 0] = before[source.name] ?? [];
    const at = files.findIndex((file) => file.inode === inode);
    for (const [index, file] of files.entries()) {
      if (index < at) continue;
      const from = index === at ? offset : 0;
      const { lines, end } = await restOfFile(file, from, source.parse, isWanted);
      found.push(...lines);
      cursor[source.name] = [file.inode, end];
      // What is left of this one comes before the next.
      if (end < file.bytes && end - from >= followBytesMax / 2) break;
    }
  }
  return { lines: inOrder(found), cursor: writeCursor(cursor) };
}

function inOrder(lines: FoundLine[]): LogLine[] {
  const sorted = lines.sort((a, b) => (a.at < b.at ? -1 : Number(a.at > b.at)));
  return sorted.map(({ database: _, ...line }) => line);
}

function writeCursor(cursor: Cursor): string {
  return Buffer.from(JSON.stringify(cursor)).toString("base64url");
}

function readCursor(text: string): Cursor | null {
  try {
    return Cursor.parse(JSON.parse(Buffer.from(text, "base64url").toString("utf8")));
  } catch {
    return null;
  }
}

/** Searches the logs in a directory. A cursor that is none of ours begins anew. */
export function searchLogs(directory: string, query: LogQuery): Promise<FoundLog> {
  const cursor = query.after === undefined ? null : readCursor(query.after);
  return cursor === null ? searchBack(directory, query) : searchOn(directory, query, cursor);
}

/** Errors Postgres logged, by database, since the cursor; null begins at the end of the log. */
export interface ErrorCount {
  readonly cursor: string | null;
  readonly counts: ReadonlyMap<string, number>;
}

/** Counts the errors since the last count. */
export async function countErrors(directory: string, cursor: string | null): Promise<ErrorCount> {
  const counts = new Map<string, number>();
  const [postgres] = sources;
  if (postgres === undefined) return { cursor, counts };
  const files = filesOf(directory, postgres);
  const newest = files.at(-1);
  const known = cursor === null ? undefined : readCursor(cursor)?.postgres;
  let place = known ?? [newest?.inode ?? 0, newest?.bytes ?? 0];
  const at = files.findIndex(({ inode }) => inode === place[0]);
  const isError = (line: FoundLine | null): line is FoundLine =>
    line?.level === "error" || line?.level === "fatal";
  for (const [index, file] of files.entries()) {
    if (index < at) continue;
    const from = index === at ? place[1] : 0;
    const { lines, end } = await restOfFile(file, from, postgres.parse, isError);
    for (const { database } of lines) counts.set(database, (counts.get(database) ?? 0) + 1);
    place = [file.inode, end];
  }
  return { cursor: writeCursor({ postgres: place }), counts };
}
