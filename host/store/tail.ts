// WAL that is not in the repository yet: the copies of segments that are being written, in pieces,
// of which those that changed are sent. The last piece is sent again and again while it grows.
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { segmentBytes } from "../instance/size.ts";
import { isHistory, isSegment } from "../wal/segment.ts";
import { timelineAt } from "../wal/timeline.ts";
import { keptSegment, sendArchive } from "./archive.ts";
import { type Copying, forEach, markOf, remove, sendSealed } from "./copying.ts";
import { cellKey, cellOf, isNote, noteKey, walKey } from "./key.ts";

/** Of one piece. */
export const cellBytes = 64 * 1024;
const pageBytes = 8192;
const noPage = Buffer.alloc(pageBytes);

/** What was sent is only added to, but after a crash: all of a segment is looked at that often. */
const wholeMilliseconds = 10_000;

/** How far a segment was sent. */
interface Look {
  /** Time of its file; nanoseconds. */
  readonly at: bigint;
  readonly lastCell: number;
  /** When all of it was looked at; milliseconds. */
  readonly wholeAt: number;
}

/** What is known of a database's WAL since this program started. */
export interface TailState {
  readonly looks: Map<string, Look>;
  /** The newest segment that was kept when the store had all that were. */
  archived: string | undefined;
}

function readCells(handle: number, from: number): readonly { at: number; content: Buffer }[] {
  const cells: { at: number; content: Buffer }[] = [];
  for (let at = from; at * cellBytes < segmentBytes; at++) {
    const content = Buffer.alloc(cellBytes);
    const length = readSync(handle, content, 0, cellBytes, at * cellBytes);
    if (length < pageBytes || content.subarray(0, pageBytes).equals(noPage)) break;
    cells.push({ at, content: content.subarray(0, length) });
  }
  return cells;
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Sends the pieces of a segment that changed. */
async function sendSegment(copying: Copying, state: TailState, segment: string): Promise<void> {
  const handle = openIfThere(join(copying.directory, "wal", segment));
  if (handle === undefined) return;
  try {
    const { mtimeNs } = fstatSync(handle, { bigint: true });
    const before = state.looks.get(segment);
    const now = Date.now();
    const isWhole = before === undefined || now - before.wholeAt > wholeMilliseconds;
    if (before?.at === mtimeNs) return;
    const cells = readCells(handle, isWhole ? 0 : before.lastCell);
    const changed = cells.filter(
      ({ at, content }) => copying.ledger.get(cellKey(segment, at))?.mark !== markOf(content),
    );
    await forEach(changed, ({ at, content }) => sendSealed(copying, cellKey(segment, at), content));
    const lastCell = cells.at(-1)?.at ?? before?.lastCell ?? 0;
    state.looks.set(segment, { at: mtimeNs, lastCell, wholeAt: isWhole ? now : before.wholeAt });
  } finally {
    closeSync(handle);
  }
}

/** Removes pieces of segments that are in the store as a whole. */
async function removeCells(copying: Copying, state: TailState, kept: string): Promise<void> {
  for (const segment of state.looks.keys()) if (segment <= kept) state.looks.delete(segment);
  const isOver = (key: string) => (cellOf(key)?.segment ?? "~") <= kept;
  await remove(copying, copying.ledger.keys().filter(isOver));
}

function listIfThere(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** The notes about timelines, once anything of the newest was taken: nobody gets there before. */
function timelineFile(directory: string, names: readonly string[]): readonly string[] {
  const newest = timelineAt(directory, null);
  if (newest === undefined) return [];
  return names.some((name) => name.startsWith(newest)) ? ["timeline.json"] : [];
}

/**
 * Sends what was written since: what is not finished first, as there is no other copy of it.
 * @returns true when finished segments are left
 */
export async function sendWal(copying: Copying, state: TailState): Promise<boolean> {
  for (const name of listIfThere(copying.directory).filter(isNote)) {
    await sendSealed(copying, noteKey(name), readFileSync(join(copying.directory, name)));
  }
  const directory = join(copying.directory, "wal");
  const kept = keptSegment(copying.directory);
  const names = listIfThere(directory);
  for (const name of [...names.filter(isHistory), ...timelineFile(directory, names)]) {
    await sendSealed(copying, walKey(name), readFileSync(join(directory, name)));
  }
  for (const name of names.filter((each) => isSegment(each) && each > kept).toSorted()) {
    await sendSegment(copying, state, name);
  }
  if (state.archived === kept) return false;
  if (await sendArchive(copying)) return true;
  await removeCells(copying, state, kept);
  state.archived = kept;
  return false;
}
