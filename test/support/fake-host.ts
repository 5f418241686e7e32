// A host in memory: it keeps what the effects leave behind, and fails when it is told to.

import type { StoredDump } from "../../src/contract/dump.ts";
import type { Incident } from "../../src/contract/incident.ts";
import type { LogLine } from "../../src/contract/log.ts";
import type { Mark } from "../../src/contract/mark.ts";
import type { MetricPoint } from "../../src/contract/metric.ts";
import { protocolVersion } from "../../src/contract/protocol.ts";
import type { RecoveryReport } from "../../src/contract/recovery.ts";
import { type DatabaseSettings, defaultSettings } from "../../src/contract/setting.ts";
import type { Transition } from "../../src/contract/transition.ts";
import type { DatabaseSession, HostFacts, HostPort } from "../../src/core/host-port.ts";
import { type LocalHostPort, portOf } from "../../src/host/port.ts";
import { createDrift, driftEffects } from "./fake-drift.ts";
import {
  createRecoveries,
  dumpEffects,
  recoveryEffects,
  verificationEffects,
} from "./fake-recovery.ts";

/** Whether a call that fails has had its effect. */
export type Failure = "before" | "after";

// What an empty database takes on disk.
const databaseBytes = 8_000_000;

/** One call that was made. */
export interface HostCallRecord {
  readonly name: keyof HostPort;
  readonly hostId: string;
}

/** A role; whoever has a verifier logs in, as a member of its group. */
export interface FakeRole {
  readonly verifier: string | null;
  readonly group: string | null;
}

/** What is there, as an operator would find it with SQL and on the host. */
export interface HostState {
  readonly roles: ReadonlyMap<string, FakeRole>;
  readonly databases: ReadonlyMap<string, { readonly owner: string }>;
  readonly settings: ReadonlyMap<string, DatabaseSettings>;
  /** Databases that are stopped or suspended. */
  readonly held: ReadonlyMap<string, "stopped" | "suspended">;
  /** What is being recovered. */
  readonly recoveries: ReadonlyMap<string, RecoveryReport>;
  readonly dumps: ReadonlyMap<string, StoredDump>;
}

/** The same for the effects, which change it. */
export type Things = ReturnType<typeof createThings>;

function createThings() {
  return {
    bytes: databaseBytes,
    roles: new Map<string, FakeRole>(),
    databases: new Map<string, { readonly owner: string }>(),
    settings: new Map<string, DatabaseSettings>(),
    held: new Map<string, "stopped" | "suspended">(),
    transitions: [] as Transition[],
    /** What an observer of any database sees. */
    seen: {
      lines: [] as LogLine[],
      points: [] as MetricPoint[],
      sessions: [] as DatabaseSession[],
    },
    ...createRecoveries(),
    ...createDrift(),
    /** Why it does not answer; null when it does. */
    problem: null as string | null,
    facts: {
      systemIdentifier: "7500000000000000001",
      backendsMax: 2400,
      diskFreeBytes: 50e9,
      diskTotalBytes: 100e9,
      protocol: protocolVersion,
    } as HostFacts,
    mark: null as Mark | null,
    incidents: [] as Incident[],
  };
}

/** @throws Error when there is no such database. */
function mustExist({ databases }: Things, name: string): void {
  if (!databases.has(name)) throw new Error("The database does not exist.");
}

function regroup(roles: Map<string, FakeRole>, from: string, to: string): void {
  for (const [name, role] of roles) {
    if (role.group === from) roles.set(name, { ...role, group: to });
  }
}

function tenantEffects(things: Things) {
  const { roles, databases, held } = things;
  const createLogin: LocalHostPort["createLogin"] = async (spec) => {
    roles.set(spec.loginRole, { verifier: spec.verifier, group: spec.ownerRole });
  };
  return {
    createDatabase: async (spec) => {
      roles.set(spec.ownerRole, { verifier: null, group: null });
      await createLogin(spec);
      databases.set(spec.databaseName, { owner: spec.ownerRole });
    },
    dropDatabase: async ({ databaseName, ownerRole, loginRole }) => {
      databases.delete(databaseName);
      roles.delete(loginRole);
      roles.delete(ownerRole.replace(/^own_/, "ro_"));
      roles.delete(ownerRole);
    },
    createLogin,
    dropLogin: async ({ loginRole }) => {
      roles.delete(loginRole);
    },
    measure: async (name) => {
      mustExist(things, name);
      return things.bytes;
    },
    holdWrites: async ({ ownerRole }) => {
      const reader = ownerRole.replace(/^own_/, "ro_");
      roles.set(reader, { verifier: null, group: null });
      regroup(roles, ownerRole, reader);
    },
    releaseWrites: async ({ ownerRole }) => {
      const reader = ownerRole.replace(/^own_/, "ro_");
      regroup(roles, reader, ownerRole);
      roles.delete(reader);
    },
    compact: async () => undefined,
    limitTemporary: async () => undefined,
    measureAll: async () =>
      Object.fromEntries([...databases.keys()].map((name) => [name, things.bytes])),
    probe: async (text) => {
      const url = new URL(text);
      const name = url.pathname.slice(1);
      mustExist(things, name);
      if (held.get(name) === "stopped") throw new Error("It is stopped.");
      if (!roles.has(url.username)) throw new Error("The role does not exist.");
    },
    sessions: async () => things.seen.sessions,
    signalSession: async (_, pid) => things.seen.sessions.some((session) => session.pid === pid),
    checkReady: async () => {
      if (things.problem !== null) throw new Error(things.problem);
    },
    facts: async () => things.facts,
    prove: async () => things.facts,
  } satisfies Partial<LocalHostPort>;
}

function hostEffects(things: Things) {
  const { settings, held } = things;
  return {
    configureDatabase: async (name, wanted) => {
      settings.set(name, wanted);
    },
    forgetDatabase: async (name) => {
      settings.delete(name);
      held.delete(name);
    },
    stopDatabase: async (name) => {
      mustExist(things, name);
      held.set(name, "stopped");
    },
    startDatabase: async (name) => {
      mustExist(things, name);
      held.delete(name);
    },
    hostDatabases: async () =>
      [...new Set([...settings.keys(), ...held.keys()])].map((database) => ({
        database,
        state: held.get(database) ?? "running",
        settings: settings.get(database) ?? defaultSettings,
      })),
    mark: async (mark, expected, adopt) => {
      const known = things.mark;
      if (adopt || known === null || expected.includes(known.state)) things.mark = mark;
      return { known };
    },
    incidents: async (afterSeq) => ({
      incidents: things.incidents.filter(({ seq }) => seq > afterSeq),
      last_seq: things.incidents.length,
    }),
    transitions: async (afterSeq) => things.transitions.filter(({ seq }) => seq > afterSeq),
    logs: async (_, { after = "0" }) => ({
      lines: things.seen.lines.slice(Number(after)),
      cursor: String(things.seen.lines.length),
    }),
    metrics: async () => things.seen.points,
  } satisfies Partial<LocalHostPort>;
}

/** The host suspends or wakes a database by itself, and notes when. */
function move(things: Things, database: string, to: Transition["to"], at: Date): void {
  const { held, transitions } = things;
  if (to === "suspended") held.set(database, "suspended");
  else held.delete(database);
  transitions.push({ seq: transitions.length + 1, database, to, at: at.toISOString() });
}

/** A host port over memory. */
export function createFakeHost() {
  const things = createThings();
  const { roles, databases, settings, held, recoveries, dumps } = things;
  const state: HostState = { roles, databases, settings, held, recoveries, dumps };
  const effects: LocalHostPort = {
    ...tenantEffects(things),
    ...hostEffects(things),
    ...recoveryEffects(things),
    ...dumpEffects(things),
    ...verificationEffects(things),
    ...driftEffects(things),
  };
  const calls: HostCallRecord[] = [];
  const failures = new Map<number, Failure>();

  const port = portOf((name) => async (hostId, ...input) => {
    calls.push({ name, hostId });
    const failure = failures.get(calls.length);
    if (failure === "before") throw new Error("The host did not answer.");
    const effect = effects[name] as (...rest: unknown[]) => Promise<unknown>;
    const result = await effect(...input);
    if (failure === "after") throw new Error("The host's answer was lost.");
    return result;
  });

  return {
    port,
    calls: calls as readonly HostCallRecord[],
    ...state,
    /** Lets the n-th call from now fail: before its effect, or after it. */
    failAt: (call: number, failure: Failure) => {
      failures.set(calls.length + call, failure);
    },
    /** No call fails any more. */
    heal: () => failures.clear(),
    /** Sets what every database is measured to take. */
    store: (bytes: number) => {
      things.bytes = bytes;
    },
    move: (database: string, to: Transition["to"], at: Date) => move(things, database, to, at),
    /** Somebody's hand or SQL made something else of the things. */
    things,
    seen: things.seen,
    isEmpty: () => Object.values(state).every((things) => things.size === 0),
  };
}
