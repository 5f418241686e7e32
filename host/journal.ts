// When databases were suspended and woken: one line of JSON each, the last ten thousand kept.
import { appendFileSync } from "node:fs";
import { Transition } from "../src/contract/host.ts";
import { readIfExists, writeAtomically } from "./file.ts";

const keptMax = 10_000;

/** Transitions on disk, in the order they happened. */
export interface Journal {
  /** Resolved writes survive a crash of the machine. */
  record(database: string, to: Transition["to"], atMilliseconds: number): void;
  /** At most `limit` transitions after `seq`. */
  after(seq: number, limit: number): readonly Transition[];
  /** The last one's number; 0 before the first. */
  lastSeq(): number;
  /** What last happened to a database, as far as that is still kept. */
  lastOf(database: string): Transition["to"] | undefined;
}

function parseLine(line: string): Transition[] {
  try {
    return [Transition.parse(JSON.parse(line))];
  } catch {
    // A crash tore the line: what it told was not reported in force either.
    return [];
  }
}

function render(transitions: readonly Transition[]): string {
  return transitions.map((transition) => `${JSON.stringify(transition)}\n`).join("");
}

/** Opens the journal kept in a file. */
export function openJournal(file: string): Journal {
  const transitions = (readIfExists(file) ?? "").split("\n").flatMap(parseLine).slice(-keptMax);
  writeAtomically(file, render(transitions));

  return {
    record(database, to, atMilliseconds) {
      const seq = (transitions.at(-1)?.seq ?? 0) + 1;
      const transition = { seq, database, to, at: new Date(atMilliseconds).toISOString() };
      appendFileSync(file, render([transition]), { mode: 0o600, flush: true });
      transitions.push(transition);
      if (transitions.length < 2 * keptMax) return;
      transitions.splice(0, transitions.length - keptMax);
      writeAtomically(file, render(transitions));
    },
    after(seq, limit) {
      const index = transitions.findIndex((transition) => transition.seq > seq);
      return index < 0 ? [] : transitions.slice(index, index + limit);
    },
    lastSeq: () => transitions.at(-1)?.seq ?? 0,
    lastOf: (database) => transitions.findLast((one) => one.database === database)?.to,
  };
}
