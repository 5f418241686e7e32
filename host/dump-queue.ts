// Dumps of live databases on demand, at most two at a time, as the tenant's own role: what a tenant
// put into its database is read with the tenant's rights.
import type { Readable } from "node:stream";
import type { DumpReport, StoredDump } from "../src/contract/host.ts";
import { runProgram, streamProgram } from "./binary.ts";
import type { Bytes } from "./cipher-stream.ts";
import { type HostConfig, layout, postgresPort } from "./config.ts";
import type { LoadTarget } from "./dump.ts";
import type { DumpStore } from "./dump-store.ts";
import { log, messageOf } from "./log.ts";
import { HostProblem } from "./problem.ts";
import { createTurns } from "./turn.ts";

const workersMax = 2;
// Whoever holds a table for longer than that fails the dump, rather than keeps it waiting.
const lockWaitMilliseconds = 60_000;

/** Dumps of one cluster. */
export interface Dumps {
  readonly store: DumpStore;
  /** Begins one; with an id that is known, nothing. */
  start(id: string, from: LoadTarget): void;
  /** Keeps an archive somebody sends. @throws HostProblem 409, 413, 422 */
  receive(id: string, content: Bytes, bytesMax: number): Promise<StoredDump>;
  /** What it has come to. @throws HostProblem 404 also when the host was restarted meanwhile. */
  statusOf(id: string): DumpReport;
  /** Ends it, whatever it does, and removes all of it. */
  remove(id: string): Promise<void>;
}

interface Entry {
  state: "waiting" | "running" | "failed";
  bytes: number;
  error: string | null;
  isEnding: boolean;
  kill: () => void;
  working: Promise<void>;
}

const magic = "PGDMP";

/** What comes, unless it is no archive or larger than allowed. @throws HostProblem 413, 422 */
async function* archiveOnly(source: Bytes, bytesMax: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  let head = Buffer.alloc(0);
  for await (const chunk of source) {
    bytes += chunk.length;
    if (head.length < magic.length) head = Buffer.concat([head, chunk.subarray(0, magic.length)]);
    if (!magic.startsWith(head.toString("latin1").slice(0, magic.length))) throw notArchive();
    if (bytes > bytesMax) {
      throw new HostProblem(413, "archive_too_large", `The archive has over ${bytesMax} bytes.`);
    }
    yield chunk;
  }
  if (bytes < magic.length) throw notArchive();
}

function notArchive(): HostProblem {
  const message = "This is no archive of pg_dump's custom format: make it with pg_dump -Fc.";
  return new HostProblem(422, "not_an_archive", message);
}

async function* counted(output: Readable, ended: Promise<void>, entry: Entry) {
  for await (const chunk of output) {
    entry.bytes += chunk.length;
    yield chunk as Buffer;
  }
  // What ended badly is no dump, however much of it came.
  await ended;
}

/** Binds dumps to a cluster and the place they are kept in. */
export function createDumps(config: HostConfig, store: DumpStore): Dumps {
  const entries = new Map<string, Entry>();
  const inTurn = createTurns(workersMax);
  const receiving = new Set<string>();

  async function take(id: string, entry: Entry, from: LoadTarget): Promise<void> {
    if (entry.isEnding) return;
    entry.state = "running";
    const version = (await runProgram(config, "pg_dump", ["--version"])).trim();
    const where = ["-h", layout(config.directory).run, "-p", String(postgresPort)];
    const who = ["-U", from.user, "-d", from.database];
    const how = ["-Fc", "-Z", "gzip:3", `--lock-wait-timeout=${lockWaitMilliseconds}`];
    const secrets = { PGPASSWORD: from.password };
    const { output, ended, kill } = streamProgram(config, "pg_dump", [...where, ...who, ...how], {
      secrets,
    });
    entry.kill = kill;
    if (entry.isEnding) kill();
    try {
      await store.write(id, counted(output, ended, entry), version);
    } finally {
      kill();
    }
  }

  async function run(id: string, entry: Entry, from: LoadTarget): Promise<void> {
    try {
      await inTurn(() => take(id, entry, from));
      entries.delete(id);
    } catch (error) {
      if (!entry.isEnding) log("error", `A dump failed: ${messageOf(error)}`);
      entry.state = "failed";
      entry.error = messageOf(error);
    }
  }

  function positionOf(id: string): number {
    const waiting = [...entries].filter(([, { state }]) => state === "waiting");
    return waiting.findIndex(([each]) => each === id) + 1;
  }

  return {
    store,
    start(id, from) {
      if (entries.has(id) || store.find(id) !== undefined) return;
      const entry: Entry = {
        ...{ state: "waiting", bytes: 0, error: null, isEnding: false },
        kill: () => undefined,
        working: Promise.resolve(),
      };
      entries.set(id, entry);
      entry.working = run(id, entry, from);
    },
    async receive(id, content, bytesMax) {
      if (receiving.has(id) || entries.has(id) || store.find(id) !== undefined) {
        throw new HostProblem(409, "dump_exists", "There is a dump of this id: send another.");
      }
      receiving.add(id);
      try {
        return await store.write(id, archiveOnly(content, bytesMax), "received");
      } finally {
        receiving.delete(id);
      }
    },
    statusOf(id) {
      const entry = entries.get(id);
      if (entry !== undefined) {
        const { state, bytes, error } = entry;
        return { state, position: positionOf(id), bytes_done: bytes, error, stored: null };
      }
      const stored = store.find(id);
      if (stored === undefined) throw new HostProblem(404, "unknown_dump", `No dump ${id} here.`);
      const bytes_done = stored.size_bytes;
      return { state: "succeeded", position: 0, bytes_done, error: null, stored };
    },
    async remove(id) {
      const entry = entries.get(id);
      if (entry !== undefined) {
        entry.isEnding = true;
        entry.kill();
        await entry.working;
        entries.delete(id);
      }
      store.remove(id);
    },
  };
}
