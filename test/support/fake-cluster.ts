// A cluster in memory: it keeps what the effects leave behind, and fails when it is told to.
import { type LocalClusterPort, portOf } from "../../src/cluster/port.ts";
import { defaultSettings } from "../../src/contract/host.ts";
import type { ClusterPort, DatabaseSettings, HostTransition } from "../../src/core/cluster-port.ts";

/** Whether a call that fails has had its effect. */
export type Failure = "before" | "after";

// What an empty database takes on disk.
const databaseBytes = 8_000_000;

/** One call that was made. */
export interface ClusterCallRecord {
  readonly name: keyof ClusterPort;
  readonly clusterId: string;
}

/** What is there, as an operator would find it with SQL and on the host. */
export interface ClusterState {
  readonly roles: ReadonlyMap<string, { readonly verifier: string | null }>;
  readonly databases: ReadonlyMap<string, { readonly owner: string }>;
  readonly settings: ReadonlyMap<string, DatabaseSettings>;
  /** Databases that are stopped or suspended. */
  readonly held: ReadonlyMap<string, "stopped" | "suspended">;
}

/** The effects on a state in memory. */
function createEffects() {
  const stored = { bytes: databaseBytes };
  const roles = new Map<string, { readonly verifier: string | null }>();
  const databases = new Map<string, { readonly owner: string }>();
  const settings = new Map<string, DatabaseSettings>();
  const held = new Map<string, "stopped" | "suspended">();
  const transitions: HostTransition[] = [];
  const mustExist = (name: string) => {
    if (!databases.has(name)) throw new Error("The database does not exist.");
  };
  const effects: LocalClusterPort = {
    createDatabase: async ({ databaseName, ownerRole, loginRole, verifier }) => {
      roles.set(ownerRole, { verifier: null });
      roles.set(loginRole, { verifier });
      databases.set(databaseName, { owner: ownerRole });
    },
    dropDatabase: async ({ databaseName, ownerRole, loginRole }) => {
      databases.delete(databaseName);
      roles.delete(loginRole);
      roles.delete(ownerRole);
    },
    createLogin: async ({ loginRole, verifier }) => {
      roles.set(loginRole, { verifier });
    },
    dropLogin: async ({ loginRole }) => {
      roles.delete(loginRole);
    },
    measure: async (name) => {
      mustExist(name);
      return stored.bytes;
    },
    measureAll: async () =>
      Object.fromEntries([...databases.keys()].map((name) => [name, stored.bytes])),
    configureDatabase: async (name, wanted) => {
      settings.set(name, wanted);
    },
    forgetDatabase: async (name) => {
      settings.delete(name);
      held.delete(name);
    },
    stopDatabase: async (name) => {
      mustExist(name);
      held.set(name, "stopped");
    },
    startDatabase: async (name) => {
      mustExist(name);
      held.delete(name);
    },
    hostDatabases: async () =>
      [...new Set([...settings.keys(), ...held.keys()])].map((database) => ({
        database,
        state: held.get(database) ?? "running",
        settings: settings.get(database) ?? defaultSettings,
      })),
    transitions: async (afterSeq) => transitions.filter(({ seq }) => seq > afterSeq),
    logs: async () => ({ lines: [], cursor: "0" }),
    metrics: async () => [],
    sessions: async () => [],
    signalSession: async () => false,
    probe: async (text) => {
      const url = new URL(text);
      mustExist(url.pathname.slice(1));
      if (held.get(url.pathname.slice(1)) === "stopped") throw new Error("It is stopped.");
      if (!roles.has(url.username)) throw new Error("The role does not exist.");
    },
    checkReady: async () => undefined,
  };
  /** The host suspends or wakes a database by itself, and notes when. */
  const move = (database: string, to: HostTransition["to"], at: Date) => {
    if (to === "suspended") held.set(database, "suspended");
    else held.delete(database);
    transitions.push({ seq: transitions.length + 1, database, to, at: at.toISOString() });
  };
  const state: ClusterState = { roles, databases, settings, held };
  return { state, effects, stored, move };
}

/** A cluster port over memory. */
export function createFakeCluster() {
  const { state, effects, stored, move } = createEffects();
  const calls: ClusterCallRecord[] = [];
  const failures = new Map<number, Failure>();

  const port = portOf((name) => async (clusterId, ...input) => {
    calls.push({ name, clusterId });
    const failure = failures.get(calls.length);
    if (failure === "before") throw new Error("The cluster did not answer.");
    const effect = effects[name] as (...rest: unknown[]) => Promise<unknown>;
    const result = await effect(...input);
    if (failure === "after") throw new Error("The cluster's answer was lost.");
    return result;
  });

  return {
    port,
    calls: calls as readonly ClusterCallRecord[],
    ...state,
    /** Lets the n-th call from now fail: before its effect, or after it. */
    failAt: (call: number, failure: Failure) => {
      failures.set(calls.length + call, failure);
    },
    /** Sets what every database is measured to take. */
    store: (bytes: number) => {
      stored.bytes = bytes;
    },
    move,
    isEmpty: () => Object.values(state).every((things) => things.size === 0),
  };
}
