import type { ClusterPort } from "../core/cluster-port.ts";
import { Unreached } from "../core/error.ts";

/** The same effects for one cluster, known to whoever has them. */
export type LocalClusterPort = {
  [Name in keyof ClusterPort]: ClusterPort[Name] extends (
    clusterId: string,
    ...rest: infer Rest
  ) => infer Done
    ? (...rest: Rest) => Done
    : never;
};

/** One effect on a cluster as a message to the object that holds its connections. */
export type ClusterCall = {
  [Name in keyof ClusterPort]: {
    readonly name: Name;
    readonly input: Parameters<LocalClusterPort[Name]>;
  };
}[keyof ClusterPort];

/** How an effect ended, its value as JSON; errors cross as words, since classes do not survive. */
export type ClusterReply =
  | { readonly error: string; readonly isUnreached: boolean }
  | { readonly error: null; readonly value: string };

// Every effect there is: a new one does not compile until it stands here.
const effects: Record<keyof ClusterPort, true> = {
  createDatabase: true,
  dropDatabase: true,
  createLogin: true,
  dropLogin: true,
  measure: true,
  measureAll: true,
  holdWrites: true,
  releaseWrites: true,
  compact: true,
  limitTemporary: true,
  configureDatabase: true,
  forgetDatabase: true,
  stopDatabase: true,
  startDatabase: true,
  hostDatabases: true,
  transitions: true,
  logs: true,
  metrics: true,
  sessions: true,
  signalSession: true,
  oidOf: true,
  createTwin: true,
  dropTwin: true,
  swapDatabases: true,
  startBaseBackup: true,
  baseBackup: true,
  baseBackups: true,
  expireBackups: true,
  archiveStatus: true,
  recoveryWindow: true,
  restorePoint: true,
  startRecovery: true,
  recovery: true,
  loadRecovery: true,
  openPreview: true,
  endRecovery: true,
  startVerification: true,
  verification: true,
  endVerification: true,
  startDump: true,
  dump: true,
  removeDump: true,
  dumps: true,
  inventory: true,
  repairLogin: true,
  repairAccess: true,
  adoptObjects: true,
  trashOrphan: true,
  trashItems: true,
  restoreTrash: true,
  dropTrash: true,
  mark: true,
  incidents: true,
  facts: true,
  prove: true,
  probe: true,
  checkReady: true,
};

/** The port that hands every effect to `send`. */
export function clusterPort(
  send: (clusterId: string, call: ClusterCall) => Promise<ClusterReply>,
): ClusterPort {
  return portOf((name) => async (clusterId, ...input) => {
    const reply = await send(clusterId, { name, input } as ClusterCall);
    if (reply.error !== null) {
      const message = `${name}: ${reply.error}`;
      throw reply.isUnreached ? new Unreached(message) : new Error(message);
    }
    return JSON.parse(reply.value);
  });
}

/** A port whose every effect is made by `make` from its name. */
export function portOf(
  make: (name: keyof ClusterPort) => (clusterId: string, ...input: unknown[]) => Promise<unknown>,
): ClusterPort {
  const names = Object.keys(effects) as (keyof ClusterPort)[];
  return Object.fromEntries(names.map((name) => [name, make(name)])) as unknown as ClusterPort;
}
