// Puts a database's repository in place from the store: where the one here was lost or is damaged,
// and on another machine. What is fetched is whole before anything here is exchanged for it.
import {
  chmodSync,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import type { Repository } from "../base-backup/repository.ts";
import { writeAtomically } from "../file.ts";
import type { Box } from "../instance/box.ts";
import { giveTo, makePassable, removeTree } from "../instance/files.ts";
import { segmentBytes } from "../instance/size.ts";
import { isHistory, isSegment } from "../wal/segment.ts";
import { isUnfinished } from "./archive.ts";
import { forEach } from "./copying.ts";
import { fetchInto } from "./fetch.ts";
import {
  cellKey,
  cellOf,
  databasePrefix,
  dataKey,
  dataNames,
  isNote,
  type Names,
  noteKey,
  walKey,
} from "./key.ts";
import { StoreDamage } from "./problem.ts";
import type { S3 } from "./s3.ts";
import type { Sealer } from "./seal.ts";
import { cellBytes } from "./tail.ts";
import { filesBelow, smallFile, withFile } from "./tree.ts";

const timelineFile = "timeline.json";

/** What is fetched, and for whom. */
export interface Fetching {
  readonly s3: S3;
  readonly sealer: Sealer;
  readonly database: string;
  /** Of its repository. */
  readonly directory: string;
  /** The user of its database. */
  readonly uid: number | null;
}

/** What was fetched. */
export interface Fetched {
  readonly files: number;
  readonly bytes: number;
}

async function fetchFile(s3: S3, key: string, path: string): Promise<void> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
  await fetchInto(s3, key, createWriteStream(path, { mode: 0o640, flush: true }));
}

/** @throws StoreDamage for a name that would lead elsewhere */
function requireNames(names: Names): Names {
  const isOdd = (name: string) =>
    name === "" || name === "." || name === ".." || /[/\0]/.test(name);
  if (names.some(isOdd)) throw new StoreDamage(`The store has an odd name: ${names.join("/")}.`);
  return names;
}

interface Listed {
  readonly names: Names;
  readonly bytes: number;
}

/** Of backups only those that are whole. */
function wanted(files: readonly Listed[]): readonly Listed[] {
  const whole = new Set(
    files.flatMap(({ names }) =>
      names[3] === "backup.manifest" ? names.slice(0, 3).join("/") : [],
    ),
  );
  const isBackup = ([kind, , label = ""]: Names) =>
    kind === "backup" && /^\d{8}-\d{6}F/.test(label);
  return files.filter(({ names }) => !isBackup(names) || whole.has(names.slice(0, 3).join("/")));
}

/** Copies segments that were kept here since the store last had all. */
async function keepNewer(directory: string, incoming: string): Promise<void> {
  const data = join(directory, "data");
  const info = ["archive", "main", "archive.info"];
  const [here, there] = [smallFile(data, info), smallFile(incoming, info)];
  // The segments of another repository cannot be read with this one's keys.
  if (here === undefined || there === undefined || !here.equals(there)) return;
  const files = (filesBelow(data, "archive") ?? []).filter((names) => !isUnfinished(names));
  for (const names of files.filter((each) => !existsSync(join(incoming, ...each)))) {
    const path = join(incoming, ...names);
    mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
    await withFile(data, names, async (content) => {
      const bytes = content.open();
      const source = Buffer.isBuffer(bytes) ? [bytes] : bytes;
      await pipeline(source, createWriteStream(path, { mode: 0o640, flush: true }));
    });
  }
}

/** A crash came between the two steps of an exchange. */
function takeBackFormer(directory: string): void {
  const [data, former] = [join(directory, "data"), join(directory, "former")];
  if (!existsSync(data) && existsSync(former)) renameSync(former, data);
}

/** Exchanges the repository's data; a crash between leaves what the next call begins with. */
async function exchange({ directory, uid }: Fetching, incoming: string): Promise<void> {
  const [data, former] = [join(directory, "data"), join(directory, "former")];
  await giveTo({ uid }, incoming);
  await removeTree(former);
  if (existsSync(data)) renameSync(data, former);
  renameSync(incoming, data);
  await removeTree(former);
}

/** Opens a sealed object. */
async function unsealed({ s3, sealer, database }: Fetching, key: string): Promise<Buffer> {
  const name = databasePrefix(database) + key;
  const object = await s3.get(name);
  if (object === undefined) throw new StoreDamage(`${name} is not in the store any more.`);
  return sealer.open(name, await buffer(object.stream));
}

/** Writes a file of the directory of copies, unless there is one. */
function place(path: string, content: Buffer): void {
  if (existsSync(path)) return;
  writeFileSync(`${path}.part`, content, { flush: true });
  chmodSync(`${path}.part`, 0o644);
  renameSync(`${path}.part`, path);
}

/** Puts together segments that were not finished; each has its whole size, with nothing behind. */
async function fetchTail(fetching: Fetching, keys: readonly string[]): Promise<void> {
  const wal = join(fetching.directory, "wal");
  makePassable(wal);
  const segments = Map.groupBy(
    keys.flatMap((key) => cellOf(key) ?? []),
    ({ segment }) => segment,
  );
  for (const [segment, cells] of segments) {
    if (existsSync(join(wal, segment))) continue;
    const content = Buffer.alloc(segmentBytes);
    await forEach(cells, async ({ cell }) => {
      const bytes = await unsealed(fetching, cellKey(segment, cell));
      if (bytes.length <= cellBytes) bytes.copy(content, cell * cellBytes);
    });
    place(join(wal, segment), content);
  }
  const isSmall = (name: string) => isHistory(name) || name === timelineFile;
  const names = keys.map((key) => key.slice(walKey("").length)).filter(isSmall);
  await forEach(names, async (name) =>
    place(join(wal, name), await unsealed(fetching, walKey(name))),
  );
}

/** Puts what the host knew of it beside it, unless it knows by itself. */
async function fetchNotes(fetching: Fetching, keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    const name = key.slice(noteKey("").length);
    const path = join(fetching.directory, name);
    if (!isNote(name) || existsSync(path)) continue;
    writeAtomically(path, (await unsealed(fetching, key)).toString());
  }
}

/** Has the notes about timelines be as the store has them. */
export async function bringBackTimeline(fetching: Fetching): Promise<void> {
  const name = databasePrefix(fetching.database) + walKey(timelineFile);
  const object = await fetching.s3.get(name);
  if (object === undefined) return;
  const text = fetching.sealer.open(name, await buffer(object.stream)).toString();
  writeAtomically(join(fetching.directory, "wal", timelineFile), text);
}

/**
 * Fetches a repository. Nothing else is to work with it meanwhile.
 * @throws Error when the store has none, or it is damaged; the one here stays as it is then
 */
export async function bringBack(fetching: Fetching): Promise<Fetched> {
  const { s3, database, directory } = fetching;
  const prefix = databasePrefix(database);
  const files: Listed[] = [];
  const [walKeys, noteKeys]: [string[], string[]] = [[], []];
  for await (const { key, bytes } of s3.list(prefix)) {
    const own = key.slice(prefix.length);
    const names = dataNames(own);
    if (names !== undefined) files.push({ names: requireNames(names), bytes });
    if (own.startsWith(walKey(""))) walKeys.push(own);
    if (own.startsWith(noteKey(""))) noteKeys.push(own);
  }
  if (!files.some(({ names }) => names.join("/") === "backup/main/backup.info")) {
    throw new Error(`The store has no base backup of ${database}.`);
  }
  makePassable(dirname(directory), directory);
  takeBackFormer(directory);
  const incoming = join(directory, "incoming");
  await removeTree(incoming);
  mkdirSync(incoming, { mode: 0o700 });
  const all = wanted(files);
  const fetched = forEach(all, ({ names }) =>
    fetchFile(s3, prefix + dataKey(names), join(incoming, ...names)),
  );
  await fetched.catch(async (error) => {
    await removeTree(incoming);
    throw error;
  });
  await keepNewer(directory, incoming);
  await exchange(fetching, incoming);
  await fetchTail(fetching, walKeys);
  await fetchNotes(fetching, noteKeys);
  return { files: all.length, bytes: all.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/**
 * Keeps in a repository what it lacks of the copies of its WAL, up to a segment: where it was
 * brought back, what was kept since the store had it is in the copies alone.
 */
export async function keepCopies(
  { directory, segments, keep }: Pick<Repository, "directory" | "segments" | "keep">,
  box: Box,
  last?: string,
): Promise<void> {
  const wal = join(directory, "wal");
  const kept = await segments(box);
  const isWanted = (name: string) =>
    isHistory(name) || (isSegment(name) && (last === undefined || name <= last));
  const copies = existsSync(wal) ? readdirSync(wal) : [];
  for (const name of copies.filter((each) => isWanted(each) && !kept.has(each)).toSorted()) {
    await keep(box, name, wal);
  }
}
