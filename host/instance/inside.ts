// Reads and writes what is in a box. Whoever took over an instance may put there what it likes: no
// link is followed, nothing but a file is opened, nobody waits for a pipe, and little is taken.
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  openSync,
  readdirSync,
  readSync,
  unlinkSync,
  writeSync,
} from "node:fs";

const { O_CREAT, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_TRUNC } = constants;
const bytesMax = 64 * 1024;

/** A file as it was when it was read. */
export interface InsideFile {
  readonly text: string;
  /** Differs between two files of one name, and between two states of one. */
  readonly state: string;
}

/** Opens what is there, by directories that are no links; the names before it are closed again. */
function open(directory: string, names: readonly string[], flags: number): number {
  let at = openSync(directory, O_RDONLY | O_NOFOLLOW | O_DIRECTORY);
  for (const [index, name] of names.entries()) {
    const isLast = index === names.length - 1;
    const how = O_NOFOLLOW | O_NONBLOCK | (isLast ? flags : O_RDONLY | O_DIRECTORY);
    const parent = at;
    try {
      at = openSync(`/proc/self/fd/${parent}/${name}`, how, 0o600);
    } finally {
      closeSync(parent);
    }
  }
  return at;
}

const isAbsent = (error: unknown) =>
  ["ENOENT", "ELOOP", "ENOTDIR", "EACCES", "ENXIO"].includes(
    (error as NodeJS.ErrnoException).code ?? "",
  );

/**
 * Opens a file to read, in directories the first of which is an absolute path whose parents belong
 * to the host. Undefined when there is none, or something else in its place. The caller closes it.
 */
export function openInside(directory: string, ...names: readonly string[]): number | undefined {
  return openFile(directory, names, O_RDONLY);
}

function openFile(directory: string, names: readonly string[], flags: number): number | undefined {
  let handle: number | undefined;
  try {
    handle = open(directory, names, flags);
    if (fstatSync(handle).isFile()) return handle;
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
  if (handle !== undefined) closeSync(handle);
  return undefined;
}

/** Names in a directory of a box; none when it is not there. */
export function listInside(directory: string, ...names: readonly string[]): readonly string[] {
  try {
    const handle = open(directory, names, O_RDONLY | O_DIRECTORY);
    try {
      return readdirSync(`/proc/self/fd/${handle}`);
    } finally {
      closeSync(handle);
    }
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

/** The text of such a file, as far as little of it is taken; undefined when there is none. */
export function readInside(directory: string, ...names: readonly string[]): InsideFile | undefined {
  const file = openInside(directory, ...names);
  if (file === undefined) return undefined;
  try {
    const { ino, mtimeNs, size } = fstatSync(file, { bigint: true });
    const bytes = Buffer.alloc(Math.min(Number(size), bytesMax));
    const length = readSync(file, bytes, 0, bytes.length, 0);
    return { text: bytes.toString("utf8", 0, length), state: `${ino}/${mtimeNs}` };
  } finally {
    closeSync(file);
  }
}

/** When such a file was last written to, in nanoseconds; nothing when there is none. */
export function writtenInside(directory: string, ...names: readonly string[]): bigint | undefined {
  const file = openInside(directory, ...names);
  if (file === undefined) return undefined;
  try {
    return fstatSync(file, { bigint: true }).mtimeNs;
  } finally {
    closeSync(file);
  }
}

/**
 * Changes the first bytes of such a file where they are; on disk before it returns.
 * @throws Error when there is none, or something else in its place
 */
export function changeInside(
  directory: string,
  names: readonly string[],
  length: number,
  change: (bytes: Buffer) => boolean,
): void {
  const file = openFile(directory, names, O_RDWR);
  if (file === undefined) throw new Error(`There is no file ${names.join("/")} in ${directory}.`);
  try {
    const bytes = Buffer.alloc(length);
    readSync(file, bytes, 0, length, 0);
    if (!change(bytes)) return;
    writeSync(file, bytes, 0, length, 0);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Writes such a file for its owner alone, in the place of the one that is there. */
export function writeInside(
  directory: string,
  names: readonly string[],
  text: string,
  uid: number | null,
): void {
  const file = openFile(directory, names, O_RDWR | O_CREAT | O_TRUNC);
  if (file === undefined) throw new Error(`${names.join("/")} in ${directory} is no file.`);
  try {
    fchmodSync(file, 0o600);
    if (uid !== null) fchownSync(file, uid, uid);
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Removes such a file, or a link in its place; none is as good. */
export function removeInside(directory: string, names: readonly string[]): void {
  const [last = "", ...before] = names.toReversed();
  const parent = open(directory, before.toReversed(), O_RDONLY | O_DIRECTORY);
  try {
    unlinkSync(`/proc/self/fd/${parent}/${last}`);
  } catch (error) {
    if (!isAbsent(error)) throw error;
  } finally {
    closeSync(parent);
  }
}
