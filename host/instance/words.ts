import { readTail } from "../base/file.ts";

// Whoever took over an instance may write there as much as it likes.
const saidBytesMax = 64 * 1024;
// Those who ask meanwhile whether it is ready are told FATAL, too.
const isAnswer = /the database system is (starting up|not yet accepting|shutting down|in recovery)/;

/** What Postgres said last of why it ends: its own words for what is fatal, or its last line. */
export function lastWords(log: string): string {
  const said = readTail(log, saidBytesMax) ?? "";
  const fatal = [...said.matchAll(/(?:FATAL|PANIC): {2}(.*)$/gm)].flatMap(
    ([, words = ""]) => words,
  );
  const own = fatal.findLast((words) => !isAnswer.test(words));
  return own ?? said.trim().split("\n").at(-1) ?? "";
}
