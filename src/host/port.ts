import { Unreached } from "../core/error.ts";
import type { HostPort } from "../core/host-port.ts";

/** The same effects for one host, known to whoever has them. */
export type LocalHostPort = {
  [Name in keyof HostPort]: HostPort[Name] extends (
    hostId: string,
    ...rest: infer Rest
  ) => infer Done
    ? (...rest: Rest) => Done
    : never;
};

/** One effect on a host as a message to the object that holds its connections. */
export type HostCall = {
  [Name in keyof HostPort]: {
    readonly name: Name;
    readonly input: Parameters<LocalHostPort[Name]>;
  };
}[keyof HostPort];

/** How an effect ended, its value as JSON; errors cross as words, since classes do not survive. */
export type HostReply =
  | { readonly error: string; readonly isUnreached: boolean }
  | { readonly error: null; readonly value: string };

// Every effect there is: a new one does not compile until it stands here.
const effects: Record<keyof HostPort, true> = {
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
export function hostPort(send: (hostId: string, call: HostCall) => Promise<HostReply>): HostPort {
  return portOf((name) => async (hostId, ...input) => {
    const reply = await send(hostId, { name, input } as HostCall);
    if (reply.error !== null) {
      const message = `${name}: ${reply.error}`;
      throw reply.isUnreached ? new Unreached(message) : new Error(message);
    }
    return JSON.parse(reply.value);
  });
}

/** A port whose every effect is made by `make` from its name. */
export function portOf(
  make: (name: keyof HostPort) => (hostId: string, ...input: unknown[]) => Promise<unknown>,
): HostPort {
  const names = Object.keys(effects) as (keyof HostPort)[];
  return Object.fromEntries(names.map((name) => [name, make(name)])) as unknown as HostPort;
}
