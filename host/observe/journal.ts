// When databases were suspended and woken, the last ten thousand times.
import { Transition } from "../../src/contract/transition.ts";
import { openJsonLines } from "../base/json-lines.ts";

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

/** Opens the journal kept in a file. */
export function openJournal(file: string): Journal {
  const { add, after, lastSeq, findLast } = openJsonLines(file, Transition, keptMax);
  return {
    record: (database, to, at) => add({ database, to, at: new Date(at).toISOString() }),
    after,
    lastSeq,
    lastOf: (database) => findLast((one) => one.database === database)?.to,
  };
}
