// Dumps of single databases, encrypted, each a file with its facts beside it. The facts are written
// last: what lies here without them was never finished, and is removed at the next start.
import { createHash } from "node:crypto";
import {
  createReadStream,
  existsSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { StoredDump } from "../../src/contract/dump.ts";
import { makePrivateDirectories, readIfExists, writeAtomically } from "../base/file.ts";
import { HostProblem } from "../base/problem.ts";
import { type Bytes, contentBytes, decrypted, encrypted, headerBytes } from "./cipher-stream.ts";

// The disk is the live cluster's, too.
const reserveBytes = 512 * 1024 ** 2;
const lookEveryBytes = 8 * 1024 ** 2;

/** Where dumps are kept: beside the cluster; another place is another one of these. */
export interface DumpStore {
  /** Keeps what comes to its end; of what breaks off nothing is left. */
  write(id: string, content: Bytes, madeWith: string): Promise<StoredDump>;
  find(id: string): StoredDump | undefined;
  /** @throws HostProblem 404 */
  read(id: string): Promise<{ readonly facts: StoredDump; readonly content: Bytes }>;
  remove(id: string): void;
  list(): StoredDump[];
}

/** What comes, while the disk has room for it. @throws HostProblem 507 */
export async function* whileRoom(directory: string, source: Bytes): AsyncGenerator<Buffer> {
  let unlooked = lookEveryBytes;
  for await (const chunk of source) {
    unlooked += chunk.length;
    if (unlooked > lookEveryBytes) {
      const { bavail, bsize } = statfsSync(directory);
      if (bavail * bsize < reserveBytes) {
        throw new HostProblem(507, "disk_full", "The cluster's disk is nearly full.");
      }
      unlooked = 0;
    }
    yield chunk;
  }
}

function pathsOf(directory: string, id: string) {
  const path = (ending: string) => join(directory, `${id}.${ending}`);
  return { part: path("part"), file: path("dump"), facts: path("json") };
}

function removeUnfinished(directory: string): void {
  for (const name of readdirSync(directory)) {
    const [id = "", ending] = name.split(".");
    const { file, facts } = pathsOf(directory, id);
    const isWhole = ending !== "part" && existsSync(file) && existsSync(facts);
    if (!isWhole) rmSync(join(directory, name), { force: true });
  }
}

function readFacts(directory: string): Map<string, StoredDump> {
  const texts = readdirSync(directory)
    .filter((name) => name.endsWith(".json"))
    .map((name) => readIfExists(join(directory, name)) ?? "");
  const all = texts.map((text) => StoredDump.parse(JSON.parse(text)));
  return new Map(all.map((facts) => [facts.dump_id, facts]));
}

async function readHeader(path: string): Promise<Buffer> {
  const handle = await open(path);
  try {
    return (await handle.read(Buffer.alloc(headerBytes), 0, headerBytes, 0)).buffer;
  } finally {
    await handle.close();
  }
}

/** Opens the directory; `secret` is the key of the cluster's repository. */
export function openDumpStore(directory: string, secret: string): DumpStore {
  makePrivateDirectories(directory);
  removeUnfinished(directory);
  const known = readFacts(directory);
  const isThere = (id: string) => existsSync(pathsOf(directory, id).file);
  const find = (id: string) => (isThere(id) ? known.get(id) : undefined);

  async function write(id: string, content: Bytes, madeWith: string): Promise<StoredDump> {
    const { part, file, facts } = pathsOf(directory, id);
    const hash = createHash("sha256");
    async function* hashed(source: Bytes) {
      for await (const chunk of source) {
        hash.update(chunk);
        yield chunk;
      }
    }
    // Whoever took the repository away took the directory along.
    makePrivateDirectories(directory);
    // Open before anything can fail: a file that is opened late would outlive its removal.
    const handle = await open(part, "w", 0o600);
    try {
      const source = encrypted(secret, hashed(whileRoom(directory, content)));
      await pipeline(source, handle.createWriteStream({ flush: true }));
      renameSync(part, file);
    } finally {
      rmSync(part, { force: true });
    }
    const stored: StoredDump = {
      dump_id: id,
      size_bytes: contentBytes(statSync(file).size),
      sha256: hash.digest("hex"),
      stored_at: new Date().toISOString(),
      made_with: madeWith,
    };
    writeAtomically(facts, JSON.stringify(stored));
    known.set(id, stored);
    return stored;
  }

  return {
    write,
    find,
    async read(id) {
      const facts = find(id);
      if (facts === undefined) throw new HostProblem(404, "unknown_dump", `No dump ${id} here.`);
      const { file } = pathsOf(directory, id);
      const rest = createReadStream(file, { start: headerBytes });
      return { facts, content: decrypted(secret, await readHeader(file), rest) };
    },
    remove(id) {
      known.delete(id);
      const { part, file, facts } = pathsOf(directory, id);
      for (const path of [facts, file, part]) rmSync(path, { force: true });
    },
    list: () => [...known.values()].filter(({ dump_id }) => isThere(dump_id)),
  };
}
