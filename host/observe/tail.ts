// Looks at what instances have said since the last look: counts the errors of their tenants, and
// hides what errors quote of passwords where it stands. Postgres does not flush its log, so mostly
// they are gone before the disk has them. What comes faster than it is looked at is hidden only
// from those who ask for lines.
import { statSync, writeSync } from "node:fs";
import { type LogState, readLog, stateOf, withLog } from "../instance/log.ts";
import { isInstanceError } from "./instance-line.ts";
import { entriesOf } from "./log-line.ts";
import { hideInPiece } from "./log-scrub.ts";

/** Bytes of one log at one look, and of all: parsing them holds up everybody. */
const pieceBytes = 256 * 1024;
const lookBytes = 4 * 1024 ** 2;
const cutBytes = 1024 ** 2 + 64;

/** How far a log was looked at. */
interface Seen {
  readonly id: string;
  readonly offset: number;
  /** Errors before it were there before the first look. */
  readonly countFrom: number;
  /** True when an entry goes on there. */
  readonly isInside: boolean;
}

/** Hides in a part of a log. @returns the part as it was */
function hide(handle: number, from: number, length: number, isInside: boolean): string {
  const text = readLog(handle, from, length).toString("latin1");
  const hidden = hideInPiece(text, isInside || text.startsWith("\t"));
  if (hidden !== text) writeSync(handle, Buffer.from(hidden, "latin1"), 0, null, from);
  return text;
}

/** Whole entries of a part; without an end in all of it, the part. */
function wholeOf(text: string): string {
  const end = text.lastIndexOf("\n") + 1;
  return end === 0 && text.length === pieceBytes ? text : text.slice(0, end);
}

/** Looks at a part of a log. */
function lookAt(handle: number, state: LogState, seen: Seen): { next: Seen; errors: number } {
  const { offset, countFrom, isInside } = seen;
  // What is counted begins with a part of its own.
  const end = offset < countFrom ? countFrom : state.bytes;
  const whole = wholeOf(hide(handle, offset, Math.min(pieceBytes, end - offset), isInside));
  const entries = offset < countFrom ? [] : entriesOf(whole).slice(isInside ? 1 : 0);
  const errors = entries.filter(isInstanceError).length;
  const goesOn = whole === "" ? isInside : !whole.endsWith("\n");
  const next = { ...seen, offset: offset + whole.length, isInside: goesOn };
  // What is half written is looked at again once there is more of it.
  const isOver = whole === "" && offset < countFrom;
  return { next: isOver ? { ...next, offset: countFrom } : next, errors };
}

/** What looks remember of all logs. */
export interface Tails {
  /** Begins a look at logs; what it may read is bounded. @returns errors of one since its last */
  begin(): (file: string) => number;
  /** Forgets all logs but these. */
  keepOnly(files: ReadonlySet<string>): void;
}

/** Makes the looks; the first one of a log counts nothing that was there before. */
export function createTails(): Tails {
  const known = new Map<string, Seen>();
  let isFirst = true;

  function seenOf(file: string, state: LogState): Seen {
    const seen = known.get(file);
    if (seen?.id === state.id) return seen;
    const isCut = seen !== undefined && seen.id !== "";
    // What was said last, before it was cut, stands beside it.
    if (isCut) withLog(`${file}.1`, "r+", (handle) => hide(handle, 0, cutBytes, false));
    return { id: state.id, offset: 0, countFrom: 0, isInside: false };
  }

  /** Notes what a log has said before anybody looked. */
  function note(file: string): void {
    const state = withLog(file, "r", stateOf);
    if (state === undefined) return;
    known.set(file, { id: state.id, offset: 0, countFrom: state.bytes, isInside: false });
  }

  /** Looks at a log until it has seen all of it, or as many bytes as are left. */
  function look(handle: number, file: string, left: number): { bytes: number; errors: number } {
    const state = stateOf(handle);
    let [seen, errors] = [seenOf(file, state), 0];
    const from = seen.offset;
    while (state.id !== "" && seen.offset < state.bytes && seen.offset - from < left) {
      const found = lookAt(handle, state, seen);
      if (found.next.offset === seen.offset) break;
      [seen, errors] = [found.next, errors + found.errors];
    }
    known.set(file, seen);
    return { bytes: seen.offset - from, errors };
  }

  /** True for one that says nothing new; most of them do. */
  function isSilent(file: string): boolean {
    const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    return size === (known.get(file)?.offset ?? 0);
  }

  return {
    begin() {
      let left = lookBytes;
      const isNoted = !isFirst;
      isFirst = false;
      return (file) => {
        if (!isNoted) note(file);
        if (left <= 0 || isSilent(file)) return 0;
        const found = withLog(file, "r+", (handle) => look(handle, file, left));
        left -= found?.bytes ?? 0;
        return found?.errors ?? 0;
      };
    },
    keepOnly(files) {
      for (const file of known.keys()) if (!files.has(file)) known.delete(file);
    },
  };
}
