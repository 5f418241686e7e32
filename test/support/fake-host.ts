// Hosts in memory: they keep what commands leave behind, and fail when they are told to.
import { canonicalJson } from "../../src/contract/canonical.ts";
import type {
  HostCommandInput,
  HostCommandName,
  HostCommandReport,
} from "../../src/contract/command.ts";
import type { HostDatabase } from "../../src/contract/database.ts";
import type { Incident } from "../../src/contract/incident.ts";
import type { LogLine } from "../../src/contract/log.ts";
import type { Mark } from "../../src/contract/mark.ts";
import type { MetricPoint } from "../../src/contract/metric.ts";
import { protocolVersion } from "../../src/contract/protocol.ts";
import type { PreviewRequest } from "../../src/contract/recovery.ts";
import type { DatabaseSession } from "../../src/contract/session.ts";
import type { DatabaseSpec } from "../../src/contract/spec.ts";
import type { Transition } from "../../src/contract/transition.ts";
import { HostRefusal, Unreached } from "../../src/core/error.ts";
import type { HostFacts, HostPort } from "../../src/core/host-port.ts";
import { createRecoveries, recoveryHandlers } from "./fake-recovery.ts";
import { isVerifiedBy } from "./fake-verifier.ts";

/** Whether a call that fails has had its effect. */
export type Failure = "before" | "after";

/** What a host does for each command. */
export type Handlers<Names extends HostCommandName = HostCommandName> = {
  [Name in Names]: (
    input: HostCommandInput<Name>,
    hostId: string,
  ) => Promise<HostCommandReport<Name>>;
};

/** One call that was made. */
export interface HostCallRecord {
  readonly name: HostCommandName | "checkReady" | "prove";
  readonly hostId: string;
}

/** A database as its host has it. */
export interface FakeDatabase {
  readonly hostId: string;
  readonly spec: DatabaseSpec;
  readonly state: HostDatabase["state"];
  readonly detail: string | null;
}

/** The same for the handlers, which change it. */
export type Things = ReturnType<typeof createThings>;

// What an empty database takes on disk.
const dataBytes = 8_000_000;

const status: HostFacts = {
  postgres_version: "17.6",
  pgbouncer_version: "1.26.1",
  pgbackrest_version: "2.55.1",
  started_at: "2026-01-01T00:00:00.000Z",
  disk_free_bytes: 50e9,
  disk_total_bytes: 100e9,
  memory_total_bytes: 64e9,
  memory_available_bytes: 60e9,
  processors: 8,
  protocol: protocolVersion,
  identity: "8a1f0000-0000-4000-8000-000000000001",
  databases_max: 2000,
  backends_max: 2400,
  instances: 0,
  instances_running: 0,
  listen: { public_host: "127.0.0.1", transaction_port: 6432, session_port: 6433 },
};

function createThings() {
  return {
    bytes: { data: dataBytes, wal: 0 },
    databases: new Map<string, FakeDatabase>(),
    /** Instances that were put aside, with the database each was. */
    aside: new Map<string, FakeDatabase & { readonly database: string }>(),
    transitions: [] as Transition[],
    /** What an observer of any database sees. */
    seen: {
      lines: [] as LogLine[],
      points: [] as MetricPoint[],
      sessions: [] as DatabaseSession[],
    },
    ...createRecoveries(),
    /** Why it is not ready; null when it is. */
    problem: null as string | null,
    /** Hosts that are not reached. */
    away: new Set<string>(),
    facts: status,
    mark: null as Mark | null,
    incidents: [] as Incident[],
  };
}

/** @throws HostRefusal 404 when a host has no such database. */
export function mustExist({ databases }: Things, name: string, hostId: string): FakeDatabase {
  const found = databases.get(name);
  if (found?.hostId === hostId) return found;
  throw new HostRefusal("a command", 404, "unknown_database", `There is no ${name}.`);
}

function changed(
  things: Things,
  name: string,
  hostId: string,
  change: Partial<FakeDatabase>,
): Record<string, never> {
  things.databases.set(name, { ...mustExist(things, name, hostId), detail: null, ...change });
  return {};
}

/** SHA-256 of a spec's canonical JSON, in hexadecimal. */
async function digestOf(spec: DatabaseSpec): Promise<string> {
  const bytes = new TextEncoder().encode(canonicalJson(spec));
  return Buffer.from(await crypto.subtle.digest("SHA-256", bytes)).toString("hex");
}

async function foundDatabase(
  things: Things,
  [database, { spec, state, detail }]: [string, FakeDatabase],
): Promise<HostDatabase> {
  return {
    database,
    state,
    detail,
    spec_sha256: await digestOf(spec),
    system_identifier: "7500000000000000001",
    data_bytes: things.bytes.data,
    wal_bytes: things.bytes.wal,
    measured_at: "2026-01-01T00:00:00.000Z",
  };
}

function noAnswer(words: string): HostRefusal {
  return new HostRefusal("database.probe", 409, "no_answer", words);
}

// What the poolers know nothing of does not answer.
function ofDatabase({ databases }: Things, database: string, hostId: string) {
  const found = databases.get(database);
  if (found?.hostId !== hostId) throw noAnswer(`There is no ${database}.`);
  return { state: found.state, logins: found.spec.logins };
}

function ofPreview({ login }: PreviewRequest) {
  return { state: "running", logins: [login] };
}

// What is made twice has its last spec; a copy has one of its own.
function makingHandlers(
  things: Things,
): Handlers<"database.create" | "database.configure" | "database.remove" | "database.branch"> {
  const { databases, aside } = things;
  return {
    "database.create": async ({ database, spec }, hostId) => {
      const { state = "running" } = databases.get(database) ?? {};
      databases.set(database, { hostId, spec, state, detail: null });
      return {};
    },
    "database.configure": async ({ database, spec }, hostId) =>
      changed(things, database, hostId, { spec }),
    "database.remove": async ({ database }) => {
      databases.delete(database);
      for (const [instance, it] of aside) if (it.database === database) aside.delete(instance);
      return {};
    },
    "database.branch": async ({ source, database, spec }, hostId) => {
      mustExist(things, source, hostId);
      databases.set(database, { hostId, spec, state: "running", detail: null });
      return {};
    },
  };
}

function databaseHandlers(
  things: Things,
): Handlers<Extract<HostCommandName, `database.${string}` | "inventory">> {
  const { databases, aside, bytes, seen } = things;
  return {
    ...makingHandlers(things),
    "database.stop": async ({ database }, hostId) =>
      changed(things, database, hostId, { state: "stopped" }),
    "database.start": async ({ database }, hostId) =>
      changed(things, database, hostId, { state: "running" }),
    "database.restart": async ({ database }, hostId) => changed(things, database, hostId, {}),
    "database.probe": async ({ login }, hostId) => {
      const shown = [...things.previews.values()].find(({ name }) => name === login.database);
      const { state, logins } =
        shown === undefined ? ofDatabase(things, login.database, hostId) : ofPreview(shown);
      if (state === "stopped" || state === "failed") throw noAnswer(`It is ${state}.`);
      const known = logins.find(({ name }) => name === login.user);
      if (known === undefined) throw noAnswer("There is no such login.");
      if (!(await isVerifiedBy(known.verifier, login.password))) throw noAnswer("Wrong password.");
      return {};
    },
    "database.compact": async ({ database }, hostId) => changed(things, database, hostId, {}),
    "database.measure": async ({ database }, hostId) => {
      mustExist(things, database, hostId);
      return { data_bytes: bytes.data, wal_bytes: bytes.wal };
    },
    inventory: async (_, hostId) => ({
      databases: await Promise.all(
        [...databases]
          .filter(([, each]) => each.hostId === hostId)
          .map((each) => foundDatabase(things, each)),
      ),
      aside: [...aside]
        .filter(([, each]) => each.hostId === hostId)
        .map(([instance, { database }]) => ({ database, instance, bytes: bytes.data })),
    }),
    "database.logs": async ({ after = "0" }) => ({
      lines: seen.lines.slice(Number(after)),
      cursor: String(seen.lines.length),
    }),
    "database.metrics": async () => ({ points: seen.points }),
  };
}

function hostHandlers(
  things: Things,
): Handlers<"status" | "mark" | "incidents" | "report" | "session.list" | "session.signal"> {
  const { seen } = things;
  return {
    status: async () => things.facts,
    mark: async ({ mark, expected, adopt }) => {
      const known = things.mark;
      if (adopt || known === null || expected.includes(known.state)) things.mark = mark;
      return { known };
    },
    incidents: async ({ after_seq }) => ({
      incidents: things.incidents.filter(({ seq }) => seq > after_seq),
      last_seq: things.incidents.length,
    }),
    report: async ({ after_seq }) => ({
      transitions: things.transitions.filter(({ seq }) => seq > after_seq),
      last_seq: things.transitions.length,
    }),
    "session.list": async () => ({ sessions: seen.sessions }),
    "session.signal": async ({ pid }) => ({
      is_done: seen.sessions.some((session) => session.pid === pid),
    }),
  };
}

/** The host puts a database to sleep or wakes it by itself, and notes when. */
function move(things: Things, database: string, to: Transition["to"], at: Date): void {
  const { databases, transitions } = things;
  const found = databases.get(database);
  const state = to === "suspended" ? "asleep" : "running";
  if (found !== undefined) databases.set(database, { ...found, state });
  transitions.push({ seq: transitions.length + 1, database, to, at: at.toISOString() });
}

/** What tests see and make of the things by hand. */
function hands(things: Things) {
  const { databases } = things;
  return {
    /** What a database is to be. */
    spec: (name: string) => databases.get(name)?.spec,
    /** The names a database lets in, the owner's first. */
    logins: (name: string) => databases.get(name)?.spec.logins.map((each) => each.name) ?? [],
    /** Names of databases in a state. */
    inState: (state: HostDatabase["state"]) =>
      [...databases].filter(([, each]) => each.state === state).map(([name]) => name),
    /** Makes another thing of a database. */
    change: (name: string, change: Partial<FakeDatabase>) => {
      const found = databases.get(name);
      if (found === undefined) throw new Error(`There is no ${name}.`);
      databases.set(name, { ...found, ...change });
    },
    /** Sets what every database is measured to take. */
    store: (data: number, wal = 0) => {
      Object.assign(things.bytes, { data, wal });
    },
    move: (database: string, to: Transition["to"], at: Date) => move(things, database, to, at),
  };
}

/** A host port over memory. */
export function createFakeHost() {
  const things = createThings();
  const handlers: Handlers = {
    ...databaseHandlers(things),
    ...hostHandlers(things),
    ...recoveryHandlers(things),
  };
  const calls: HostCallRecord[] = [];
  const failures = new Map<number, Failure>();

  async function performed<Result>(
    name: HostCallRecord["name"],
    hostId: string,
    effect: () => Promise<Result>,
  ): Promise<Result> {
    calls.push({ name, hostId });
    const failure = failures.get(calls.length);
    if (things.away.has(hostId)) throw new Unreached("The host was not reached.");
    if (failure === "before") throw new Error("The host did not answer.");
    const result = await effect();
    if (failure === "after") throw new Error("The host's answer was lost.");
    return result;
  }

  const port: HostPort = {
    command: (hostId, name, input) =>
      performed(name, hostId, () => handlers[name](input as never, hostId)),
    prove: (hostId) => performed("prove", hostId, async () => things.facts),
    checkReady: (hostId) =>
      performed("checkReady", hostId, async () => {
        if (things.problem !== null) throw new Error(things.problem);
      }),
  };
  const { databases, aside, recoveries, dumps } = things;

  return {
    port,
    calls: calls as readonly HostCallRecord[],
    databases: databases as ReadonlyMap<string, FakeDatabase>,
    aside,
    recoveries,
    dumps,
    ...hands(things),
    /** Lets the n-th call from now fail: before its effect, or after it. */
    failAt: (call: number, failure: Failure) => {
      failures.set(calls.length + call, failure);
    },
    /** No call fails any more. */
    heal: () => failures.clear(),
    /** Somebody's hand made something else of the things. */
    things,
    seen: things.seen,
    isEmpty: () => [databases, aside, recoveries, dumps].every(({ size }) => size === 0),
  };
}
