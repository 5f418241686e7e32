// Memory of backends. Postgres is started with the smallest limit (RLIMIT_DATA, private memory),
// which every backend inherits; those of a database with a larger one are raised when they appear.
// Queries of several processes also share memory, in a parallel hash join for one: RLIMIT_AS
// bounds it, and is set as soon as it is known how much of the address space Postgres takes.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { DatabaseName } from "../src/contract/database.ts";
import { backendBytesMin } from "../src/contract/setting.ts";
import type { Backends } from "./backend.ts";
import type { DatabaseFile, WantedByDatabase } from "./database-file.ts";
import { childrenOf } from "./process.ts";
import type { Weights } from "./weight.ts";

const run = promisify(execFile);

/** What `/bin/sh` does before it becomes Postgres. The hard limit stays, so it can be raised. */
export const limitMemory = `ulimit -S -d ${backendBytesMin / 1024}`;

const missesMax = 20;

/** Address space for what is neither counted as data nor mapped by the postmaster: libraries. */
const sparedBytes = 64 * 1024 * 1024;

type Bytes = number | "unlimited";

/** What a backend may have that loads a database: it sorts whole tables for their indexes. */
const loadingBytes = 192 * 1024 * 1024;

/** Sets the soft limits of a process of this user; one that is gone meanwhile is no error. */
async function setLimit(pid: number, bytes: Bytes, mappedBytes: number): Promise<void> {
  const space = bytes === "unlimited" ? bytes : mappedBytes + bytes + sparedBytes;
  const limits = [`--data=${bytes}:`, `--as=${space}:`];
  await run("prlimit", [`--pid=${pid}`, ...limits]).catch((error: unknown) => {
    if (isRunning(pid)) throw error;
  });
}

/** Address space of a process; most of the postmaster's is what it shares with its children. */
function mappedBytesOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmSize:\s+(\d+) kB$/m.exec(text)?.[1]) * 1024;
}

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

export interface MemoryOptions {
  readonly file: Pick<DatabaseFile, "all">;
  readonly backends: Pick<Backends, "list">;
  /** Postgres' process, undefined while there is none. */
  readonly postmaster: () => number | undefined;
  readonly weights: Pick<Weights, "place">;
}

/** No tenant's query runs in processes without a database, or in the platform's databases. */
const isTenants = (database: string | null): database is string =>
  DatabaseName.safeParse(database).success;

function bytesFor(
  all: WantedByDatabase,
  loading: ReadonlySet<string>,
  database: string | null,
): Bytes {
  if (!isTenants(database)) return "unlimited";
  const bytes = all.get(database)?.bytes_per_backend ?? backendBytesMin;
  return loading.has(database) ? Math.max(bytes, loadingBytes) : bytes;
}

/** Databases that are being loaded. */
function createLoading() {
  const loading = new Set<string>();
  return {
    loading,
    /** Lets a database's backends have what loading takes, while `work` goes on. */
    async whileLoading(database: string, work: () => Promise<void>): Promise<void> {
      loading.add(database);
      await work().finally(() => loading.delete(database));
    },
  };
}

/** Makes the look that gives every new process of Postgres the limit and share of its database. */
export function createMemoryLimits({ file, backends, postmaster, weights }: MemoryOptions) {
  const given = new Map<number, Bytes>();
  const { loading, whileLoading } = createLoading();
  /** How often a process was looked for in vain: while it logs in, or as it never is listed. */
  const misses = new Map<number, number>();
  let parent: number | undefined;
  let isChanged = false;
  let mappedBytes = 0;

  async function limit(pids: readonly number[], isJustBorn: boolean): Promise<void> {
    const listed = new Map((await backends.list()).map(({ pid, database }) => [pid, database]));
    for (const pid of pids) {
      const database = listed.get(pid);
      if (database === undefined) {
        misses.set(pid, (misses.get(pid) ?? 0) + 1);
        continue;
      }
      const bytes = bytesFor(file.all, loading, database);
      const before = given.get(pid) ?? (isJustBorn ? backendBytesMin : undefined);
      if (before !== bytes) await setLimit(pid, bytes, mappedBytes);
      if (!given.has(pid)) weights.place(pid, isTenants(database) ? database : null);
      given.set(pid, bytes);
    }
  }

  function forgetEnded(children: ReadonlySet<number>): void {
    for (const known of [given, misses]) {
      for (const pid of known.keys()) if (!children.has(pid)) known.delete(pid);
    }
  }

  return {
    /** Has the next look compare every process with what is wanted, after that changed. */
    renew(): void {
      isChanged = true;
    },
    whileLoading,
    async look(): Promise<void> {
      const pid = postmaster();
      if (pid === undefined) return;
      const isJustBorn = pid === parent;
      if (!isJustBorn) {
        // Perhaps an earlier host program started it, without the limit. One that is starting may
        // not have mapped everything: it does when it knows its children.
        if (childrenOf(pid).length === 0) return;
        mappedBytes = mappedBytesOf(pid);
        await setLimit(pid, backendBytesMin, mappedBytes);
        given.clear();
      }
      const children = childrenOf(pid);
      forgetEnded(new Set(children));
      const isNew = (child: number) => !given.has(child) && (misses.get(child) ?? 0) < missesMax;
      const due = isChanged ? children : children.filter(isNew);
      isChanged = false;
      if (due.length > 0) await limit(due, isJustBorn);
      parent = pid;
    },
  };
}
