// Reads what is in a box. Whoever took over an instance may put there what it likes: no link is
// followed, nothing but a file is read, nobody waits for a pipe, and little is taken.
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
const bytesMax = 64 * 1024;

/** A file as it was when it was read. */
export interface InsideFile {
  readonly text: string;
  /** Differs between two files of one name, and between two states of one. */
  readonly state: string;
}

/**
 * The file `names[last]` in the directories before it, the first of which is an absolute path whose
 * parents belong to the host. Undefined when there is none, or something else in its place.
 */
export function readInside(directory: string, ...names: readonly string[]): InsideFile | undefined {
  const opened: number[] = [];
  const open = (path: string, flags: number) => {
    const handle = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | flags);
    opened.push(handle);
    return handle;
  };
  try {
    let at = open(directory, O_DIRECTORY);
    for (const name of names.slice(0, -1)) at = open(`/proc/self/fd/${at}/${name}`, O_DIRECTORY);
    const file = open(`/proc/self/fd/${at}/${names.at(-1)}`, 0);
    const { ino, mtimeNs, size } = fstatSync(file, { bigint: true });
    if (!fstatSync(file).isFile()) return undefined;
    const bytes = Buffer.alloc(Math.min(Number(size), bytesMax));
    const length = readSync(file, bytes, 0, bytes.length, 0);
    return { text: bytes.toString("utf8", 0, length), state: `${ino}/${mtimeNs}` };
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (["ENOENT", "ELOOP", "ENOTDIR", "EACCES", "ENXIO"].includes(code)) return undefined;
    throw error;
  } finally {
    for (const handle of opened) closeSync(handle);
  }
}
