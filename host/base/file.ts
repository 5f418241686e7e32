import {
  closeSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";

/** The text of a file, or undefined when there is none. */
export function readIfExists(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** The last bytes of a file, as text; undefined when there is none. */
export function readTail(path: string, bytesMax: number): string | undefined {
  let handle: number;
  try {
    handle = openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const { size } = fstatSync(handle);
    const bytes = Buffer.alloc(Math.min(size, bytesMax));
    const length = readSync(handle, bytes, 0, bytes.length, size - bytes.length);
    return bytes.toString("utf8", 0, length);
  } finally {
    closeSync(handle);
  }
}

/** Replaces a file (0600) in one step, on disk before it is seen: a crash leaves old or new. */
export function writeAtomically(path: string, text: string | Uint8Array): void {
  const part = `${path}.part`;
  rmSync(part, { force: true });
  writeFileSync(part, text, { mode: 0o600, flush: true });
  renameSync(part, path);
}

/** Has on disk which names a directory holds: a crash takes back none that was given or removed. */
export function syncDirectory(path: string): void {
  const handle = openSync(path, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Writes when the text differs; true when it did. */
export function writeIfChanged(path: string, text: string): boolean {
  if (readIfExists(path) === text) return false;
  writeAtomically(path, text);
  return true;
}

/** Makes directories only their owner may enter. */
export function makePrivateDirectories(...paths: string[]): void {
  for (const path of paths) mkdirSync(path, { recursive: true, mode: 0o700 });
}
