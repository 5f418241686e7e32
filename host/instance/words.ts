import { statSync } from "node:fs";
import { readTail } from "../file.ts";

// Whoever took over an instance may write there as much as it likes.
const saidBytesMax = 64 * 1024;
// Those who ask meanwhile whether it is ready are told FATAL, too.
const isAnswer = /the database system is (starting up|not yet accepting|shutting down|in recovery)/;

/** How much it has said. */
export function saidBytes(log: string): number {
  return statSync(log, { throwIfNoEntry: false })?.size ?? 0;
}

/**
 * What Postgres said last of why it ends: its own words for what is fatal, or its last line. Those
 * of before it had said `from` bytes were another's.
 */
export function lastWords(log: string, from = 0): string {
  const own = saidBytes(log) - from;
  // The log may have been cut meanwhile.
  const said = readTail(log, own < 0 ? saidBytesMax : Math.min(own, saidBytesMax)) ?? "";
  const fatal = [...said.matchAll(/(?:FATAL|PANIC): {2}(.*)$/gm)].flatMap(
    ([, words = ""]) => words,
  );
  const why = fatal.findLast((words) => !isAnswer.test(words));
  return why ?? said.trim().split("\n").at(-1) ?? "";
}
