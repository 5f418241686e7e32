// Takes the WAL of an instance out of it as it is written, page by page, into a directory nothing
// but the host program writes to; finished segments go on to the repository. Who waits for WAL to
// be taken does not wait for that. Postgres runs no archiver and sends no stream: an idle instance
// costs a look at one file, and a segment need not be full to be safe. A slot keeps Postgres from
// removing what the repository does not have yet.
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  rmSync,
} from "node:fs";
import { join } from "node:path";
import { readIfExists, writeAtomically } from "../file.ts";
import type { Box } from "../instance/box.ts";
import { listInside, readInside } from "../instance/inside.ts";
import { segmentBytes } from "../instance/size.ts";
import { isHistory, isSegment, segmentAfter } from "./segment.ts";
import { isBegun, openTaking, type Taking, takeWritten } from "./taking.ts";

/** What a shipper works with. */
export interface ShipperOptions {
  readonly box: Box;
  /** Holds the segments that were taken, also those that are not finished. */
  readonly directory: string;
  /** Keeps a finished segment for good. */
  readonly keep: (segment: string) => Promise<void>;
  /** Lets Postgres remove what is before the end of a segment. */
  readonly release: (segment: string) => Promise<void>;
  /** The segment Postgres writes to now, or wrote to last; null while nobody can say. */
  readonly current: () => Promise<string | null>;
  /** Differs after Postgres was started anew. */
  readonly incarnation: () => string;
}

/** Takes one instance's WAL. */
export interface Shipper {
  /** Takes what was written since; true when anything was. `isSure` trusts no time of a file. */
  take(isSure?: boolean): Promise<boolean>;
  /** The segment that is being written, and how much of it was taken. */
  position(): { readonly segment: string; readonly bytes: number } | null;
  /** Keeps the oldest finished segment that was not kept; false when there is none. */
  keepNext(): Promise<boolean>;
  /** Keeps also the segment that is not finished: nothing more is written on its timeline. */
  finish(): Promise<void>;
  /** Has the copies of all that was taken written to disk. */
  sync(): void;
  /** Removes copies of segments that are kept, and older than one that is still read. */
  prune(oldest: string): void;
}

/** The first segment that was not kept: of the newest timeline, when there are several. */
function firstWanted({ place }: Box, kept: string | undefined): string | undefined {
  const there = listInside(place.box, "data", "pg_wal").filter(isSegment).toSorted();
  const timeline = there.at(-1)?.slice(0, 8) ?? "";
  const own = there.filter((name) => name.startsWith(timeline));
  return kept?.startsWith(timeline) ? own.find((name) => name > kept) : own[0];
}

/** Histories of timelines tell a recovery which segment follows which. */
async function keepHistories({ box, directory, keep }: ShipperOptions): Promise<void> {
  const there = listInside(box.place.box, "data", "pg_wal").filter(isHistory);
  for (const name of there.filter((one) => !existsSync(join(directory, one)))) {
    const history = readInside(box.place.box, "data", "pg_wal", name);
    if (history === undefined) continue;
    await keep(name);
    writeAtomically(join(directory, name), history.text);
    chmodSync(join(directory, name), 0o644);
  }
}

/**
 * The last segment that anything is written in. After a crash, segments hold pages behind the end
 * of WAL that were never committed, and that are written anew: up to this one all of a segment is
 * looked at again and again.
 */
export function lastBegun(box: Box): string {
  const there = listInside(box.place.box, "data", "pg_wal").filter(isSegment).toSorted();
  return there.findLast((segment) => isBegun(box, segment)) ?? "";
}

/** Removes copies of segments that were kept, and are older than one. */
function pruneCopies(directory: string, kept: string, oldest: string): void {
  // Timelines are not compared: an older one is no longer than the newer.
  const isOld = (name: string) => name.slice(8) < oldest.slice(8) && name <= kept;
  for (const name of readdirSync(directory).filter(isSegment).filter(isOld)) {
    rmSync(join(directory, name));
  }
}

function syncFile(path: string): void {
  const handle = openSync(path, "r");
  fsyncSync(handle);
  closeSync(handle);
}

/** Keeps what is finished, the oldest first. */
function createKeeping({ directory, keep, release }: ShipperOptions) {
  const keptFile = join(directory, "kept");
  const waiting: string[] = [];
  const kept = () => readIfExists(keptFile)?.trim();
  async function next(): Promise<boolean> {
    const [segment] = waiting;
    if (segment === undefined) return false;
    await keep(segment);
    writeAtomically(keptFile, `${segment}\n`);
    await release(segment);
    waiting.shift();
    return true;
  }

  return {
    waiting,
    kept,
    next,
    async all() {
      while (await next());
    },
    /** The last segment that is finished, kept or not. */
    last: () => waiting.at(-1) ?? kept(),
  };
}

/** To look whether a segment is over takes opening the next one: hundreds are idle. */
const looksOfQuiet = 20;

/** True for one that nothing was written to, and whose last page is not written yet. */
function createQuiet(): (taking: Taking) => boolean {
  let looks = 0;
  return ({ offset }) => {
    looks += 1;
    // One that ended before it was full is found with the next of these.
    return offset < segmentBytes && looks % looksOfQuiet !== 0;
  };
}

/** Opens the first segment that is wanted; undefined when it is not there yet. */
async function openFirst(options: ShipperOptions, last: string | undefined) {
  const { box, directory } = options;
  const segment = firstWanted(box, last);
  const next = segment === undefined ? undefined : openTaking(box, segment, directory);
  // What fails is tried again: a recovery does not find its way without them.
  await (next && keepHistories(options))?.catch((error) => {
    next?.close();
    throw error;
  });
  return next;
}

/** Has copies written to disk, and that they are there. */
function syncCopies(directory: string, names: readonly string[]): void {
  for (const name of names) syncFile(join(directory, name));
  syncFile(directory);
}

/** Makes the shipper of one instance; it goes on where a former one ended. */
export function createShipper(options: ShipperOptions): Shipper {
  const { box, directory, current, incarnation } = options;
  const keeping = createKeeping(options);
  const isQuiet = createQuiet();
  let taking: Taking | undefined;
  let [known, doubtful] = ["", ""];

  function beginAnew(): void {
    if (known === incarnation()) return;
    taking?.close();
    taking = undefined;
    doubtful = lastBegun(box);
    known = incarnation();
  }

  async function close(done: Taking): Promise<void> {
    await takeWritten(done, { isSure: true, isWhole: true });
    keeping.waiting.push(done.segment);
    done.close();
    taking = undefined;
  }

  /** Takes on until a segment is not over. */
  async function takeOn(isSure: boolean, isOver: (segment: string) => Promise<boolean>) {
    let hasTaken = false;
    for (;;) {
      taking ??= await openFirst(options, keeping.last());
      if (taking === undefined) return hasTaken;
      const now = taking;
      const isWhole = now.segment <= doubtful;
      if (await takeWritten(now, { isSure, isWhole })) hasTaken = true;
      else if (!isSure && isQuiet(now)) return hasTaken;
      if (!(await isOver(now.segment))) return hasTaken;
      await close(now);
    }
  }

  return {
    keepNext: keeping.next,
    async take(isSure = false) {
      beginAnew();
      let reached = "";
      // A page of the next one may be from before a crash: Postgres says where it is.
      return takeOn(isSure, async (segment) => {
        if (!isBegun(box, segmentAfter(segment))) return false;
        if (reached <= segment) reached = (await current()) ?? "";
        return reached > segment;
      });
    },
    position: () => (taking ? { segment: taking.segment, bytes: taking.offset } : null),
    async finish() {
      // It was stopped in order: what is there was written.
      await takeOn(true, async (segment) => isBegun(box, segmentAfter(segment)));
      if (taking !== undefined) await close(taking);
      await keeping.all();
    },
    sync: () => syncCopies(directory, [...keeping.waiting, taking?.segment ?? []].flat()),
    prune: (oldest) => pruneCopies(directory, keeping.kept() ?? "", oldest),
  };
}
