// A cluster in memory: it keeps what the effects leave behind, and fails when it is told to.
import type {
  ClusterPort,
  DatabaseNames,
  DatabasePools,
  DatabaseSpec,
} from "../../src/core/cluster-port.ts";

/** Whether a call that fails has had its effect. */
export type Failure = "before" | "after";

// What an empty database takes on disk.
const databaseBytes = 8_000_000;

/** One call that was made. */
export interface ClusterCallRecord {
  readonly name: keyof ClusterPort;
  readonly clusterId: string;
}

/** What is there, as an operator would find it with SQL and in the poolers' files. */
export interface ClusterState {
  readonly roles: ReadonlyMap<string, { readonly verifier: string | null }>;
  readonly databases: ReadonlyMap<string, { readonly owner: string }>;
  readonly pools: ReadonlyMap<string, DatabasePools>;
}

/** The effects on a state in memory. */
function createEffects() {
  const stored = { bytes: databaseBytes };
  const roles = new Map<string, { readonly verifier: string | null }>();
  const databases = new Map<string, { readonly owner: string }>();
  const pools = new Map<string, DatabasePools>();
  const effects = {
    createDatabase: ({ databaseName, ownerRole, loginRole, verifier }: DatabaseSpec) => {
      roles.set(ownerRole, { verifier: null });
      roles.set(loginRole, { verifier });
      databases.set(databaseName, { owner: ownerRole });
    },
    dropDatabase: ({ databaseName, ownerRole, loginRole }: DatabaseNames) => {
      databases.delete(databaseName);
      roles.delete(loginRole);
      roles.delete(ownerRole);
    },
    createLogin: ({ loginRole, verifier }: DatabaseSpec) => {
      roles.set(loginRole, { verifier });
    },
    dropLogin: ({ loginRole }: DatabaseNames) => {
      roles.delete(loginRole);
    },
    measure: (name: string) => {
      if (!databases.has(name)) throw new Error("The database does not exist.");
      return stored.bytes;
    },
    setPools: (name: string, wanted: DatabasePools | null) => {
      if (wanted === null) pools.delete(name);
      else pools.set(name, wanted);
    },
    probe: (text: string) => {
      const url = new URL(text);
      if (!databases.has(url.pathname.slice(1))) throw new Error("The database does not exist.");
      if (!roles.has(url.username)) throw new Error("The role does not exist.");
    },
    checkReady: () => undefined,
  };
  const state: ClusterState = { roles, databases, pools };
  return { state, effects, stored };
}

/** A cluster port over memory. */
export function createFakeCluster() {
  const { state, effects, stored } = createEffects();
  const calls: ClusterCallRecord[] = [];
  const failures = new Map<number, Failure>();

  async function perform<Result>(
    name: keyof ClusterPort,
    clusterId: string,
    effect: () => Result,
  ): Promise<Result> {
    calls.push({ name, clusterId });
    const failure = failures.get(calls.length);
    if (failure === "before") throw new Error("The cluster did not answer.");
    const result = effect();
    if (failure === "after") throw new Error("The cluster's answer was lost.");
    return result;
  }

  const port: ClusterPort = {
    createDatabase: (id, spec) => perform("createDatabase", id, () => effects.createDatabase(spec)),
    dropDatabase: (id, names) => perform("dropDatabase", id, () => effects.dropDatabase(names)),
    createLogin: (id, spec) => perform("createLogin", id, () => effects.createLogin(spec)),
    dropLogin: (id, names) => perform("dropLogin", id, () => effects.dropLogin(names)),
    measure: (id, name) => perform("measure", id, () => effects.measure(name)),
    setPools: (id, name, wanted) => perform("setPools", id, () => effects.setPools(name, wanted)),
    probe: (id, url) => perform("probe", id, () => effects.probe(url)),
    checkReady: (id) => perform("checkReady", id, effects.checkReady),
  };

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
    isEmpty: () => Object.values(state).every((things) => things.size === 0),
  };
}
