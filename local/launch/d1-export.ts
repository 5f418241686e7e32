// Copies D1 on a schedule to where the host's store follows, encrypted with the installation's
// sealing key, and brings such a copy back. On Cloudflare D1's own Time Travel does that.
import { createReadStream, createWriteStream, existsSync, mkdirSync, readdirSync } from "node:fs";
import { mkdtemp, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createZstdCompress, createZstdDecompress } from "node:zlib";
import { syncDirectory } from "../../host/base/file.ts";
import { decrypted, encrypted, headerBytes } from "../../host/dump/cipher-stream.ts";
import type { Secrets } from "./secrets.ts";
import { homePaths } from "./settings.ts";

/** Copies that are kept; one an hour. */
const copiesMax = 48;
const ending = ".sqlite.zst.enc";
/** Where Miniflare keeps D1; the file's name follows from `database_id` of `wrangler.toml`. */
const d1Directory = "miniflare-D1DatabaseObject";
const nameForm = /_([\da-f]{64})\.sqlite\.zst\.enc$/;

/** Where copies are: in the host's directory, which its store follows. */
export function exportDirectory(home: string): string {
  return join(homePaths(home).host, "control-plane");
}

/** The file of D1 in a state directory; undefined before the Worker made it. */
export function findD1(home: string): string | undefined {
  const directory = join(homePaths(home).state, "v3", "d1", d1Directory);
  if (!existsSync(directory)) return undefined;
  const name = readdirSync(directory).find((each) => /^[\da-f]{64}\.sqlite$/.test(each));
  return name === undefined ? undefined : join(directory, name);
}

/** What copies are encrypted with: the first of the sealing keys, which stays when others come. */
function exportKey({ sealing_keys: { keys } }: Secrets): string {
  const [key = ""] = Object.values(keys);
  return key;
}

/** The copies there are, the oldest first. */
export function listExports(home: string): readonly string[] {
  const directory = exportDirectory(home);
  if (!existsSync(directory)) return [];
  const names = readdirSync(directory).filter((name) => name.endsWith(ending));
  return names.toSorted().map((name) => join(directory, name));
}

/**
 * Copies D1 as it is at one moment, while it is written to. @returns the copy's path, or undefined
 * when there is no D1 yet
 */
export async function exportD1(
  home: string,
  secrets: Secrets,
  now = new Date(),
): Promise<string | undefined> {
  const source = findD1(home);
  if (source === undefined) return undefined;
  const directory = exportDirectory(home);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const work = await mkdtemp(join(homePaths(home).log, "d1-"));
  try {
    const plain = join(work, "d1.sqlite");
    const database = new DatabaseSync(source, { readOnly: true, timeout: 10_000 });
    await backup(database, plain).finally(() => database.close());
    const sealed = join(work, "d1");
    const compressed = createReadStream(plain).pipe(createZstdCompress());
    await pipeline(encrypted(exportKey(secrets), compressed), createWriteStream(sealed));
    const file = await open(sealed);
    await file.sync().finally(() => file.close());
    const moment = now.toISOString().replaceAll(":", "-");
    const path = join(directory, `d1-${moment}_${basename(source, ".sqlite")}${ending}`);
    await rename(sealed, path);
    syncDirectory(directory);
    for (const old of listExports(home).slice(0, -copiesMax)) await rm(old);
    return path;
  } finally {
    await rm(work, { recursive: true });
  }
}

/**
 * Brings a copy back as the D1 of a state directory that has none.
 * @throws Error when there is one, or the copy is damaged or of other keys
 */
export async function restoreD1(home: string, secrets: Secrets, copy: string): Promise<void> {
  const there = findD1(home);
  if (there !== undefined) {
    throw new Error(`${there} is there: move it away first, with the files beside it.`);
  }
  const name = nameForm.exec(copy)?.[1];
  if (name === undefined) throw new Error(`${copy} has not the name of a copy of D1.`);
  const work = await mkdtemp(join(homePaths(home).state, "d1-"));
  try {
    const plain = join(work, "d1.sqlite");
    const file = await open(copy);
    const header = Buffer.alloc(headerBytes);
    await file.read(header, 0, headerBytes, 0).finally(() => file.close());
    const rest = createReadStream(copy, { start: headerBytes });
    const content = Readable.from(decrypted(exportKey(secrets), header, rest));
    await pipeline(content, createZstdDecompress(), createWriteStream(plain, { mode: 0o600 }));
    check(plain);
    const target = join(homePaths(home).state, "v3", "d1", d1Directory, `${name}.sqlite`);
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
    await rename(plain, target);
    syncDirectory(dirname(target));
  } finally {
    await rm(work, { recursive: true });
  }
}

/** @throws Error when SQLite finds something wrong with a file */
function check(path: string): void {
  const database = new DatabaseSync(path);
  try {
    const [row] = database.prepare("pragma quick_check").all();
    if (Object.values(row ?? {})[0] !== "ok")
      throw new Error(`The copy of D1 is damaged: ${path}.`);
  } finally {
    database.close();
  }
}
