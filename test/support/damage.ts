// Damage to the files of a repository, and its repair.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Undoes a damage. */
export type Repair = () => void;

/** Changes a file's bytes; the repair puts them back. */
export function change(file: string, bytes: (before: Buffer) => Buffer): Repair {
  const before = readFileSync(file);
  writeFileSync(file, bytes(Buffer.from(before)));
  return () => writeFileSync(file, before);
}

/** Turns a bit in every so many bytes, so that none of what a file holds is spared. */
export function turnBits(file: string, everyBytes = 256): Repair {
  return change(file, (bytes) => {
    for (let at = Math.min(40, bytes.length - 1); at < bytes.length; at += everyBytes) {
      bytes[at] = (bytes[at] ?? 0) ^ 1;
    }
    return bytes;
  });
}

/** Several at a time. */
export function all(repairs: readonly Repair[]): Repair {
  return () => {
    for (const repair of repairs) repair();
  };
}

/** The files below a directory. */
export function filesIn(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
