// Dumps of live databases on demand, at most two at a time, as the tenant's own role: what a tenant
// put into its database is read with the tenant's rights.
import type { Readable } from "node:stream";
import type { DumpReport, StoredDump } from "../src/contract/dump.ts";
import { runProgram, streamProgram } from "./binary.ts";
import type { Bytes } from "./cipher-stream.ts";
import { type HostConfig, layout, postgresPort } from "./config.ts";
import type { LoadTarget } from "./dump.ts";
import { archiveOnly } from "./dump-http.ts";
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

const fresh = (): Entry => ({
  state: "waiting",
  bytes: 0,
  error: null,
  isEnding: false,
  kill: () => undefined,
  working: Promise.resolve(),
});

async function* counted(output: Readable, ended: Promise<void>, entry: Entry) {
  for await (const chunk of output) {
    entry.bytes += chunk.length;
    yield chunk as Buffer;
  }
  // What ended badly is no dump, however much of it came.
  await ended;
}

/** Streams one database into the store. */
async function take(
  config: HostConfig,
  { store, entry, id }: { readonly store: DumpStore; readonly entry: Entry; readonly id: string },
  from: LoadTarget,
): Promise<void> {
  entry.state = "running";
  const version = (await runProgram(config, "pg_dump", ["--version"])).trim();
  if (entry.isEnding) return;
  const where = ["-h", layout(config.directory).run, "-p", String(postgresPort)];
  const who = ["-U", from.user, "-d", from.database];
  const how = ["-Fc", "-Z", "gzip:3", `--lock-wait-timeout=${lockWaitMilliseconds}`];
  const secrets = {
    PGPASSWORD: from.password,
    // A backend that waits for a lock would not notice that its pg_dump was ended.
    PGOPTIONS: "-c client_connection_check_interval=1000",
  };
  const { output, ended, kill } = streamProgram(config, "pg_dump", [...where, ...who, ...how], {
    secrets,
  });
  entry.kill = kill;
  try {
    await store.write(id, counted(output, ended, entry), version);
  } finally {
    kill();
  }
}

function statusIn(entries: ReadonlyMap<string, Entry>, store: DumpStore, id: string): DumpReport {
  const entry = entries.get(id);
  if (entry !== undefined) {
    const { state, bytes, error } = entry;
    const waiting = [...entries].filter(([, each]) => each.state === "waiting");
    const position = waiting.findIndex(([each]) => each === id) + 1;
    return { state, position, bytes_done: bytes, error, stored: null };
  }
  const stored = store.find(id);
  if (stored === undefined) throw new HostProblem(404, "unknown_dump", `No dump ${id} here.`);
  return { state: "succeeded", position: 0, bytes_done: stored.size_bytes, error: null, stored };
}

/** Binds dumps to a cluster and the place they are kept in. */
export function createDumps(config: HostConfig, store: DumpStore): Dumps {
  const entries = new Map<string, Entry>();
  const receiving = new Set<string>();
  const inTurn = createTurns(workersMax);
  const isKnown = (id: string) =>
    entries.has(id) || receiving.has(id) || store.find(id) !== undefined;

  async function run(id: string, entry: Entry, from: LoadTarget): Promise<void> {
    try {
      await inTurn(async () => {
        if (!entry.isEnding) await take(config, { store, entry, id }, from);
      });
      entries.delete(id);
    } catch (error) {
      if (!entry.isEnding) log("error", `A dump failed: ${messageOf(error)}`);
      entry.state = "failed";
      entry.error = messageOf(error);
    }
  }

  return {
    store,
    start(id, from) {
      if (isKnown(id)) return;
      const entry = fresh();
      entries.set(id, entry);
      entry.working = run(id, entry, from);
    },
    async receive(id, content, bytesMax) {
      if (isKnown(id)) {
        throw new HostProblem(409, "dump_exists", "There is a dump of this id: send another.");
      }
      receiving.add(id);
      try {
        return await store.write(id, archiveOnly(content, bytesMax), "received");
      } finally {
        receiving.delete(id);
      }
    },
    statusOf: (id) => statusIn(entries, store, id),
    async remove(id) {
      const entry = entries.get(id);
      if (entry !== undefined) {
        entry.isEnding = true;
        entry.kill();
        // One that waits for its turn ends when that comes.
        if (entry.state !== "waiting") await entry.working;
        entries.delete(id);
      }
      store.remove(id);
    },
  };
}
