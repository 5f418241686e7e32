import { readTail } from "../file.ts";

// Whoever took over an instance may write there as much as it likes.
const saidBytesMax = 64 * 1024;

/** What Postgres said last of why it ends: its own words for what is fatal, or its last line. */
export function lastWords(log: string): string {
  const said = readTail(log, saidBytesMax) ?? "";
  const fatal = [...said.matchAll(/(?:FATAL|PANIC): {2}(.*)$/gm)].at(-1)?.[1];
  return fatal ?? said.trim().split("\n").at(-1) ?? "";
}
