// Files of a repository as the host reads them. What runs for a database may change them: no link
// is followed, and nothing but a file is read.
import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  createReadStream,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
} from "node:fs";
import { openInside } from "../instance/inside.ts";
import type { Names } from "./key.ts";
import { type Content, contentOf } from "./s3.ts";

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;
const deepest = 12;
const filesMax = 200_000;
/** Up to here a file is read at once. */
const smallBytes = 256 * 1024;

/** A name that is none of a repository's own, or too many of them. */
function refuseMany(count: number): void {
  if (count > filesMax) throw new Error(`A repository has more than ${filesMax} files.`);
}

function walk(directory: number, names: Names, found: Names[]): void {
  const entries = readdirSync(`/proc/self/fd/${directory}`, { withFileTypes: true });
  refuseMany(found.length + entries.length);
  for (const entry of entries) {
    if (entry.isFile()) found.push([...names, entry.name]);
    if (!entry.isDirectory() || names.length > deepest) continue;
    const path = `/proc/self/fd/${directory}/${entry.name}`;
    const handle = openIfThere(path);
    if (handle === undefined) continue;
    try {
      walk(handle, [...names, entry.name], found);
    } finally {
      closeSync(handle);
    }
  }
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (["ENOENT", "ENOTDIR", "ELOOP"].includes(code)) return undefined;
    throw error;
  }
}

/**
 * All files below a directory of a repository's, by the names that lead to them from there.
 * Undefined when it is not there.
 */
export function filesBelow(directory: string, ...names: Names): readonly Names[] | undefined {
  const found: Names[] = [];
  let at = openIfThere(directory);
  for (const name of names) {
    if (at === undefined) return undefined;
    const parent = at;
    at = openIfThere(`/proc/self/fd/${parent}/${name}`);
    closeSync(parent);
  }
  if (at === undefined) return undefined;
  try {
    walk(at, names, found);
  } finally {
    closeSync(at);
  }
  return found;
}

function readAll(handle: number, bytes: number): Buffer {
  const content = Buffer.alloc(bytes);
  let length = 0;
  while (length < bytes) {
    const read = readSync(handle, content, length, bytes - length, length);
    if (read === 0) break;
    length += read;
  }
  return content.subarray(0, length);
}

/** A small file's content; undefined when there is none. */
export function smallFile(directory: string, names: Names): Buffer | undefined {
  const handle = openInside(directory, ...names);
  if (handle === undefined) return undefined;
  try {
    const { size } = fstatSync(handle);
    if (size > smallBytes * 64) throw new Error(`${names.join("/")} is longer than it should be.`);
    return readAll(handle, size);
  } finally {
    closeSync(handle);
  }
}

/** A part of a file, which is read as it is sent, and once before that. */
async function partOf(fd: number, start: number, bytes: number): Promise<Content> {
  if (bytes <= smallBytes && start === 0) return contentOf(readAll(fd, bytes));
  const end = start + bytes - 1;
  const open = () => createReadStream("", { fd, autoClose: false, start, end });
  const hash = createHash("sha256");
  for await (const chunk of open()) hash.update(chunk);
  return { bytes, sha256: hash.digest("hex"), open };
}

/**
 * Has work done with the content of a file, in parts of so many bytes: one, when none is said.
 * @returns false when there is no such file
 */
export async function withFile(
  directory: string,
  names: Names,
  work: (content: Content, part: number) => Promise<void>,
  partBytes = Number.MAX_SAFE_INTEGER,
): Promise<boolean> {
  const fd = openInside(directory, ...names);
  if (fd === undefined) return false;
  try {
    const { size } = fstatSync(fd);
    for (let start = 0; start === 0 || start < size; start += partBytes) {
      const bytes = Math.min(partBytes, size - start);
      await work(await partOf(fd, start, bytes), start / partBytes);
    }
    return true;
  } finally {
    closeSync(fd);
  }
}
