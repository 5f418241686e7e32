// Dumps of databases on demand, few at a time and one of a database, and archives that are sent.
import type { DumpReport, StoredDump } from "../../src/contract/dump.ts";
import type { CommandHandlers } from "../base/command.ts";
import { log, messageOf } from "../base/log.ts";
import { HostProblem } from "../base/problem.ts";
import { createQueue } from "../base/turn.ts";
import type { Fleet } from "../instance/fleet.ts";
import type { Keeper } from "../instance/keeper.ts";
import { type Awake, liveOf } from "./awake.ts";
import type { Bytes } from "./cipher-stream.ts";
import { archiveOnly } from "./http.ts";
import type { DumpStore } from "./store.ts";
import { takeDump } from "./take.ts";

const workersMax = 2;

/** What dumps are made of. */
export interface DumpParts {
  readonly fleet: Fleet;
  readonly keeper: Keeper;
  readonly store: DumpStore;
  readonly awake: Awake;
}

/** Dumps of one host. */
export interface Dumps {
  readonly handlers: Pick<CommandHandlers, "dump.start" | "dump.status" | "dump.remove" | "dumps">;
  readonly store: DumpStore;
  /** Keeps an archive somebody sends. @throws HostProblem 409, 413, 422, 507 */
  receive(id: string, content: Bytes, bytesMax: number): Promise<StoredDump>;
}

interface Entry {
  readonly database: string;
  readonly ending: AbortController;
  state: "waiting" | "running" | "failed";
  bytes: number;
  error: string | null;
  working: Promise<void>;
}

const ended = new Error("The dump was ended.");

/** Makes dumps, in the order they are asked for. */
function createWork({ awake, ...parts }: DumpParts) {
  const queue = createQueue(workersMax, 1);
  return async (id: string, entry: Entry): Promise<void> => {
    const { database, ending } = entry;
    const { signal } = ending;
    const leave = await queue.enter(database, signal);
    try {
      entry.state = "running";
      const onBytes = (bytes: number) => {
        entry.bytes += bytes;
      };
      await awake.while(database, (box) => takeDump(parts, box, { id, database, signal, onBytes }));
    } finally {
      leave();
    }
  };
}

function reportOf(entries: ReadonlyMap<string, Entry>, store: DumpStore, id: string): DumpReport {
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

/** Archives on their way in. */
function createReceive(store: DumpStore, isKnown: (id: string) => boolean) {
  const receiving = new Set<string>();
  return {
    isReceiving: (id: string) => receiving.has(id),
    async receive(id: string, content: Bytes, bytesMax: number): Promise<StoredDump> {
      if (isKnown(id) || receiving.has(id)) {
        throw new HostProblem(409, "dump_exists", "There is a dump of this id: send another.");
      }
      receiving.add(id);
      try {
        return await store.write(id, archiveOnly(content, bytesMax), "received");
      } finally {
        receiving.delete(id);
      }
    },
  };
}

/** Opens the dumps of a host. */
export function openDumps(parts: DumpParts): Dumps {
  const { keeper, store } = parts;
  const entries = new Map<string, Entry>();
  const work = createWork(parts);
  const isKnown = (id: string) => entries.has(id) || store.find(id) !== undefined;
  const { isReceiving, receive } = createReceive(store, isKnown);

  async function run(id: string, entry: Entry): Promise<void> {
    try {
      await work(id, entry);
      entries.delete(id);
    } catch (error) {
      if (entry.ending.signal.aborted) return;
      log("error", `A dump failed: ${messageOf(error)}`);
      entry.state = "failed";
      entry.error = messageOf(error);
    }
  }

  async function begin(id: string, database: string): Promise<void> {
    if (isKnown(id) || isReceiving(id)) return;
    liveOf(keeper, database);
    const facts = { database, ending: new AbortController(), state: "waiting" } as const;
    const entry: Entry = { ...facts, bytes: 0, error: null, working: Promise.resolve() };
    entries.set(id, entry);
    entry.working = run(id, entry);
  }

  async function remove(id: string): Promise<void> {
    const entry = entries.get(id);
    entry?.ending.abort(ended);
    await entry?.working;
    entries.delete(id);
    store.remove(id);
  }

  return {
    store,
    receive,
    handlers: {
      "dump.start": async ({ dump_id, database }) => {
        await begin(dump_id, database);
        return {};
      },
      "dump.status": async ({ dump_id }) => reportOf(entries, store, dump_id),
      "dump.remove": async ({ dump_id }) => {
        await remove(dump_id);
        return {};
      },
      dumps: async () => ({ dumps: store.list() }),
    },
  };
}
