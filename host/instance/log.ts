// Keeps what an instance's Postgres says within bounds: any tenant can have it say as much as it
// likes. The file is cut where it is, as Postgres goes on adding to it.
import { statSync, truncateSync } from "node:fs";
import { readTail, writeAtomically } from "../file.ts";

const bytesMax = 16 * 1024 ** 2;
const keptBytes = 1024 ** 2;

/** Cuts a log that is too long; its last part is beside it, with `.1`. True when it was cut. */
export function cutLog(file: string, most = bytesMax, kept = keptBytes): boolean {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size <= most) return false;
  writeAtomically(`${file}.1`, readTail(file, kept) ?? "");
  truncateSync(file, 0);
  return true;
}
