// Files that children write their output to. They stay open in the child whatever becomes of this
// process, so they are cut by copying: each is appended to, so the child goes on at the new end.
import { copyFileSync, openSync, readFileSync, statSync, truncateSync } from "node:fs";

const bytesMax = 10 * 1024 * 1024;

/** Opens a log for a child; the caller closes it after the child has started. */
export function openLog(file: string): number {
  return openSync(file, "a", 0o600);
}

/** Sets a long log aside as `.1`, over the one before it. True when it did. */
export function cutLog(file: string, max = bytesMax): boolean {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size <= max) return false;
  copyFileSync(file, `${file}.1`);
  truncateSync(file);
  return true;
}

/** The last lines of a log. */
export function lastLines(file: string, count: number): string {
  return readFileSync(file, "utf8").trim().split("\n").slice(-count).join("\n");
}
