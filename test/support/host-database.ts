// Poolers and Postgres in memory, for what the host program decides about single databases.
import type { Backends } from "../../host/backend.ts";
import type { DatabaseFile, Wanted } from "../../host/database-file.ts";
import type { Journal } from "../../host/journal.ts";
import { createLifecycle } from "../../host/lifecycle.ts";
import type { PoolerState } from "../../host/pooler-state.ts";
import type { Transition } from "../../src/contract/transition.ts";

/** A pooler a test may look into, and use as a client would. */
function aPooler() {
  const paused = new Set<string>();
  const disabled = new Set<string>();
  const clients = new Map<string, { clients: number; waiting: number; busy: number }>();
  const counts = new Map<string, number>();
  const hooks = { onPause: async (_: string) => {} };
  const state: PoolerState = {
    facts: async () =>
      new Map(
        [...new Set([...paused, ...disabled])].map((name) => [
          name,
          {
            isPaused: paused.has(name),
            isDisabled: disabled.has(name),
            clients: clients.get(name)?.clients ?? 0,
          },
        ]),
      ),
    use: async () => clients,
    counts: async () => counts,
    pause: async (name) => {
      paused.add(name);
      await hooks.onPause(name);
    },
    resume: async (name) => void paused.delete(name),
    disable: async (name) => void disabled.add(name),
    enable: async (name) => void disabled.delete(name),
    endClients: async (name) => void clients.delete(name),
  };
  const restart = () => {
    for (const memory of [paused, disabled, clients, counts]) memory.clear();
  };
  return { state, paused, disabled, clients, counts, hooks, restart };
}

/** What is wanted, on no disk. */
function aFile(wanted: Record<string, Wanted>): Pick<DatabaseFile, "all" | "change"> {
  const all = new Map(Object.entries(wanted));
  return {
    all,
    async change(database, fields) {
      if (fields === undefined) all.delete(database);
      else all.set(database, { ...all.get(database), ...fields });
    },
  };
}

function aJournal() {
  const transitions: Transition[] = [];
  const journal: Journal = {
    record(database, to, at) {
      const seq = transitions.length + 1;
      transitions.push({ seq, database, to, at: new Date(at).toISOString() });
    },
    after: () => transitions,
    lastSeq: () => transitions.length,
    lastOf: (database) => transitions.findLast((one) => one.database === database)?.to,
  };
  return { journal, transitions };
}

/** A host in memory with a database `proj_a` and the lifecycle over it. */
export function aHost(wanted: Record<string, Wanted> = {}) {
  const transaction = aPooler();
  const session = aPooler();
  const file = aFile(wanted);
  const { journal, transitions } = aJournal();
  const postgres = { isAllowed: true, working: 0, ended: 0 };
  const backends: Backends = {
    exists: async (database) => database === "proj_a",
    isAllowed: async () => postgres.isAllowed,
    allow: async (_, isAllowed) => {
      postgres.isAllowed = isAllowed;
    },
    end: async () => {
      postgres.ended += 1;
    },
    endIdle: async () => postgres.working,
    rename: async () => undefined,
    list: async () => [],
  };
  const poolers = { transaction: transaction.state, session: session.state };
  const lifecycle = createLifecycle({ file, journal, poolers, backends, now: () => 0 });
  const told = () => transitions.map(({ to }) => to);
  const state = () => file.all.get("proj_a")?.state;
  return { transaction, session, poolers, file, postgres, lifecycle, told, state };
}
