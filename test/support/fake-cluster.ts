// A cluster in memory: it keeps what the effects leave behind, and fails when it is told to.
import type {
  ClusterPort,
  DatabaseNames,
  DatabasePools,
  DatabaseSpec,
} from "../../src/core/cluster-port.ts";

/** Whether a call that fails has had its effect. */
export type Failure = "before" | "after";

/** One call that was made. */
export interface ClusterCallRecord {
  readonly name: keyof ClusterPort;
  readonly clusterId: string;
}

/** A cluster port over memory, and what is there, as an operator would find it. */
export function createFakeCluster() {
  const roles = new Map<string, { readonly verifier: string | null }>();
  const databases = new Map<string, { readonly owner: string }>();
  const pools = new Map<string, DatabasePools>();
  const calls: ClusterCallRecord[] = [];
  const failures = new Map<number, Failure>();

  async function perform(call: ClusterCallRecord, effect: () => void): Promise<void> {
    calls.push(call);
    const failure = failures.get(calls.length);
    if (failure === "before") throw new Error("The cluster did not answer.");
    effect();
    if (failure === "after") throw new Error("The cluster's answer was lost.");
  }

  function create({ databaseName, ownerRole, loginRole, verifier }: DatabaseSpec): void {
    roles.set(ownerRole, { verifier: null });
    roles.set(loginRole, { verifier });
    databases.set(databaseName, { owner: ownerRole });
  }

  function drop({ databaseName, ownerRole, loginRole }: DatabaseNames): void {
    databases.delete(databaseName);
    roles.delete(loginRole);
    roles.delete(ownerRole);
  }

  function setPools(name: string, wanted: DatabasePools | null): void {
    if (wanted === null) pools.delete(name);
    else pools.set(name, wanted);
  }

  function probe(text: string): void {
    const url = new URL(text);
    if (!databases.has(url.pathname.slice(1))) throw new Error("The database does not exist.");
    if (!roles.has(url.username)) throw new Error("The role does not exist.");
  }

  const port: ClusterPort = {
    createDatabase: (clusterId, spec) =>
      perform({ name: "createDatabase", clusterId }, () => create(spec)),
    dropDatabase: (clusterId, names) =>
      perform({ name: "dropDatabase", clusterId }, () => drop(names)),
    setPools: (clusterId, name, wanted) =>
      perform({ name: "setPools", clusterId }, () => setPools(name, wanted)),
    probe: (clusterId, url) => perform({ name: "probe", clusterId }, () => probe(url)),
    checkReady: (clusterId) => perform({ name: "checkReady", clusterId }, () => undefined),
  };

  return {
    port,
    calls: calls as readonly ClusterCallRecord[],
    roles: roles as ReadonlyMap<string, { readonly verifier: string | null }>,
    databases: databases as ReadonlyMap<string, { readonly owner: string }>,
    pools: pools as ReadonlyMap<string, DatabasePools>,
    /** Lets the n-th call from now fail: before its effect, or after it. */
    failAt: (call: number, failure: Failure) => {
      failures.set(calls.length + call, failure);
    },
    isEmpty: () => roles.size + databases.size + pools.size === 0,
  };
}
export type FakeCluster = ReturnType<typeof createFakeCluster>;
