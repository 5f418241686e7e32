// A journal on disk: one line of JSON for each entry, numbered from 1 on, the newest kept.
import { appendFileSync } from "node:fs";
import type { z } from "zod";
import { readIfExists, writeAtomically } from "./file.ts";

/** An entry's place; numbers are not used again. */
interface Numbered {
  readonly seq: number;
}

/** Entries in the order they came. */
export interface JsonLines<Entry extends Numbered> {
  /** Resolved writes survive a crash of the machine. */
  add(entry: Omit<Entry, "seq">): void;
  /** At most `limit` entries after `seq`. */
  after(seq: number, limit: number): readonly Entry[];
  /** The last one's number; 0 before the first. */
  lastSeq(): number;
  findLast(test: (entry: Entry) => boolean): Entry | undefined;
}

/** Opens the journal kept in a file; it keeps between `keptMax` entries and twice as many. */
export function openJsonLines<Entry extends Numbered>(
  file: string,
  schema: z.ZodType<Entry>,
  keptMax: number,
): JsonLines<Entry> {
  const parseLine = (line: string): Entry[] => {
    try {
      return [schema.parse(JSON.parse(line))];
    } catch {
      // A crash tore the line: what it told was not reported in force either.
      return [];
    }
  };
  const entries = (readIfExists(file) ?? "").split("\n").flatMap(parseLine).slice(-keptMax);
  writeAtomically(file, render(entries));

  return {
    add(entry) {
      const numbered = { seq: (entries.at(-1)?.seq ?? 0) + 1, ...entry } as Entry;
      appendFileSync(file, render([numbered]), { mode: 0o600, flush: true });
      entries.push(numbered);
      if (entries.length < 2 * keptMax) return;
      entries.splice(0, entries.length - keptMax);
      writeAtomically(file, render(entries));
    },
    after(seq, limit) {
      const index = entries.findIndex((entry) => entry.seq > seq);
      return index < 0 ? [] : entries.slice(index, index + limit);
    },
    lastSeq: () => entries.at(-1)?.seq ?? 0,
    findLast: (test) => entries.findLast(test),
  };
}

function render(entries: readonly object[]): string {
  return entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");
}
