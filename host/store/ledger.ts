// What the store has of each database, as far as this host has put it there: a file of lines for
// each, so that nobody has to ask the store. A line that was lost has an object sent again.
import { appendFileSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { readIfExists, writeAtomically } from "../base/file.ts";

/** An object as it was sent. */
export interface Sent {
  readonly bytes: number;
  /** Names its content; empty when that was not looked at. */
  readonly mark: string;
}

/** What the store has of one database. */
export interface Ledger {
  /** When all of it was last read in the store itself; 0 for never. Unix time, milliseconds. */
  readonly listedAt: number;
  get(key: string): Sent | undefined;
  has(key: string): boolean;
  keys(): readonly string[];
  /** Notes that the store has an object. */
  note(key: string, sent: Sent): void;
  /** Notes that it is about to be removed. */
  strike(keys: readonly string[]): void;
  /**
   * Says that the store is being read. @returns what takes what it said it has for all there is,
   * but for what was noted and struck meanwhile
   */
  list(): (found: ReadonlyMap<string, number>, now: number) => void;
}

/** The ledgers of a host. */
export interface Ledgers {
  /** All that use the one of a database at a time use the same. */
  use<Result>(database: string, work: (ledger: Ledger) => Promise<Result>): Promise<Result>;
  /** Forgets one. */
  remove(database: string): void;
}

const Line = z.union([
  z.tuple([z.literal("+"), z.string(), z.int(), z.string()]),
  z.tuple([z.literal("-"), z.string()]),
  z.tuple([z.literal("listed"), z.number()]),
]);
type Line = z.infer<typeof Line>;

const render = (line: Line) => `${JSON.stringify(line)}\n`;

/** A crash may have torn the last line. */
function parseLine(text: string): readonly Line[] {
  try {
    return [Line.parse(JSON.parse(text))];
  } catch {
    return [];
  }
}

/** Of lines that say nothing any more. */
const idleLinesMax = 1000;

interface Contents {
  readonly sent: Map<string, Sent>;
  readonly listedAt: number;
  readonly lines: number;
}

function readContents(file: string): Contents {
  const sent = new Map<string, Sent>();
  let listedAt = 0;
  const lines = (readIfExists(file) ?? "").split("\n").flatMap(parseLine);
  for (const line of lines) {
    if (line[0] === "listed") listedAt = line[1];
    else if (line[0] === "+") sent.set(line[1], { bytes: line[2], mark: line[3] });
    else sent.delete(line[1]);
  }
  return { sent, listedAt, lines: lines.length };
}

/** What is there when the store was read, and some was noted and struck meanwhile. */
function merged(
  found: ReadonlyMap<string, number>,
  before: ReadonlyMap<string, Sent>,
  changed: ReadonlySet<string>,
): ReadonlyMap<string, Sent> {
  const stored = [...found].map(([key, bytes]) => {
    const known = before.get(key);
    return [key, { bytes, mark: known?.bytes === bytes ? known.mark : "" }] as const;
  });
  const all = new Map<string, Sent>(stored);
  for (const key of changed) {
    const now = before.get(key);
    if (now === undefined) all.delete(key);
    else all.set(key, now);
  }
  return all;
}

const addition = (key: string, { bytes, mark }: Sent): Line => ["+", key, bytes, mark];

function openLedger(file: string): Ledger {
  let { sent, listedAt, lines } = readContents(file);
  /** Keys that were noted or struck while the store is being read. */
  const changed = new Set<string>();

  function rewrite(): void {
    const all = [...sent].map(([key, one]) => render(addition(key, one)));
    writeAtomically(file, render(["listed", listedAt]) + all.join(""));
    lines = sent.size + 1;
  }

  function add(added: readonly Line[]): void {
    lines += added.length;
    if (lines > sent.size * 2 + idleLinesMax) rewrite();
    else appendFileSync(file, added.map(render).join(""), { mode: 0o600 });
  }

  return {
    get listedAt() {
      return listedAt;
    },
    get: (key) => sent.get(key),
    has: (key) => sent.has(key),
    keys: () => [...sent.keys()],
    note(key, one) {
      sent.set(key, one);
      changed.add(key);
      add([addition(key, one)]);
    },
    strike(keys) {
      for (const key of keys) {
        sent.delete(key);
        changed.add(key);
      }
      if (keys.length > 0) add(keys.map((key): Line => ["-", key]));
    },
    list() {
      changed.clear();
      return (found, now) => {
        sent = new Map(merged(found, sent, changed));
        listedAt = now;
        rewrite();
      };
    },
  };
}

/** Ledgers that nobody uses stay in memory up to that number. */
const keptMax = 64;

/** Opens those in a directory. */
export function openLedgers(directory: string): Ledgers {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const open = new Map<string, { readonly ledger: Ledger; users: number }>();
  const fileOf = (database: string) => join(directory, `${database}.jsonl`);

  function letGo(): void {
    for (const [database, { users }] of open) {
      if (open.size <= keptMax) return;
      if (users === 0) open.delete(database);
    }
  }

  return {
    async use(database, work) {
      const entry = open.get(database) ?? { ledger: openLedger(fileOf(database)), users: 0 };
      // The one that was used last is the last to be let go.
      open.delete(database);
      open.set(database, entry);
      entry.users++;
      try {
        return await work(entry.ledger);
      } finally {
        entry.users--;
        letGo();
      }
    },
    remove(database) {
      open.delete(database);
      rmSync(fileOf(database), { force: true });
    },
  };
}
