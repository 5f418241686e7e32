// Recoveries that are asked for by an id: two work at a time, the others wait in their order. They
// are in memory alone. An instance that nobody was led to has no record, so the next host program
// removes it; whoever asks for its recovery then is told that it is unknown, and begins it again.
import { createHash } from "node:crypto";
import type { RecoveryReport, RecoveryRequest } from "../../src/contract/instance/recovery.ts";
import { endNow, isRunning } from "../base/running.ts";
import { discard } from "../instance/discard.ts";
import type { Fleet } from "../instance/fleet.ts";
import type { InstanceRecord } from "../instance/record.ts";
import type { InstanceState } from "../instance/roster.ts";
import { log, messageOf } from "../log.ts";
import { HostProblem } from "../problem.ts";
import { createQueue } from "../turn.ts";
import { createProgress, type Progress } from "./progress.ts";

const workersMax = 2;

/** Whether it is to be read, or to go on. */
export type Purpose = "preview" | "restore";

/** One recovery. */
export interface Entry {
  readonly id: string;
  readonly database: string;
  /** Its instance; the same for the same id, whoever asks. */
  readonly name: string;
  readonly purpose: Purpose;
  readonly request: RecoveryRequest;
  readonly ending: AbortController;
  readonly progress: Progress;
  state: RecoveryReport["state"];
  error: string | null;
  /** Set while it is ready, and nothing but this knows of its instance. */
  recovered: InstanceState | undefined;
  working: Promise<void>;
  askedAt: number;
}

/** What carries out a recovery. */
export interface Worker {
  /** The instance whose past is wanted, or whose user it is to have. @throws HostProblem 404 */
  of(database: string): InstanceRecord | undefined;
  /** Does it: the instance runs then. */
  work(entry: Entry, of: InstanceRecord): Promise<InstanceState>;
  /** Does work with a number nobody has, or that nobody else is given meanwhile. */
  withSlot(database: string, slot: number, work: (slot: number) => Promise<void>): Promise<void>;
}

/** The recoveries of a host. */
export interface Registry {
  /** Begins one; with an id that is known, nothing. */
  start(id: string, request: RecoveryRequest, purpose: Purpose): void;
  /** @throws HostProblem 404 */
  get(id: string): Entry;
  all(): readonly Entry[];
  /** Its instance. @throws HostProblem 404, 409 unless it is ready */
  ready(id: string, purpose?: Purpose): { readonly entry: Entry; readonly state: InstanceState };
  /** Others look after its instance from now on. */
  hand(id: string): void;
  reportOf(id: string): RecoveryReport;
  /** Ends it, and removes what only it knows of. */
  end(id: string): Promise<void>;
}

/** The instance of a recovery: the ids of one minute begin with the same digits. */
export function instanceOf(database: string, id: string): string {
  return `${database}.${createHash("sha256").update(id).digest("hex").slice(0, 8)}`;
}

const unknown = (id: string) =>
  new HostProblem(404, "unknown_recovery", `There is no recovery ${id} here.`);

const neverThere = (database: string) =>
  new HostProblem(404, "unknown_database", `There never was a database ${database}.`);

/** Its instance. @throws HostProblem 409 unless it is ready, and for that */
function readyIn(entry: Entry, purpose: Purpose | undefined): InstanceState {
  const { state, recovered } = entry;
  if (state !== "ready" || recovered === undefined) {
    throw new HostProblem(409, "not_ready", `The recovery is ${state}.`);
  }
  if (purpose !== undefined && entry.purpose !== purpose) {
    throw new HostProblem(409, "other_purpose", `The recovery is for a ${entry.purpose}.`);
  }
  const { server } = recovered;
  if (server !== undefined && isRunning(server)) return recovered;
  throw new HostProblem(409, "not_ready", "Its Postgres has ended: recover again.");
}

function newEntry(id: string, request: RecoveryRequest, purpose: Purpose): Entry {
  const { database } = request;
  const ending = new AbortController();
  return {
    ...{ id, database, name: instanceOf(database, id), purpose, request, ending },
    ...{ progress: createProgress(ending.signal), state: "waiting", error: null },
    ...{ recovered: undefined, working: Promise.resolve(), askedAt: Date.now() },
  };
}

/** Carries them out in turn; resolves when one is ready or has failed. */
function createRun(worker: Worker) {
  const queue = createQueue(workersMax, workersMax);
  return async (entry: Entry, of: InstanceRecord): Promise<void> => {
    const { signal } = entry.ending;
    try {
      const leave = await queue.enter("", signal);
      try {
        entry.state = "running";
        entry.recovered = await worker.work(entry, of);
        entry.state = "ready";
      } finally {
        leave();
      }
    } catch (error) {
      entry.error = signal.aborted ? "It was ended." : messageOf(error);
      entry.state = "failed";
      log("warn", `The recovery ${entry.id} of ${entry.database} failed: ${entry.error}`);
    }
  };
}

/** What one says of itself, among all there are. */
function reportIn(entry: Entry, all: readonly Entry[]): RecoveryReport {
  const { id, state, progress, error } = entry;
  const position = all.filter((each) => each.state === "waiting").indexOf(entry) + 1;
  return { recovery_id: id, state, position, error, ...progress.facts() };
}

/** Ends it, and removes its instance where only it knows of that. */
async function endEntry(fleet: Fleet, entry: Entry): Promise<void> {
  entry.ending.abort(new Error("It was ended."));
  await entry.working;
  const { recovered } = entry;
  if (recovered?.server !== undefined) await endNow(recovered.server);
  if (recovered !== undefined) await discard(fleet, recovered.record.name);
}

/** Makes it; nothing is recovered yet. */
export function createRegistry(fleet: Fleet, worker: Worker): Registry {
  const entries = new Map<string, Entry>();
  const run = createRun(worker);
  /** Told when an instance is no longer in the care of its entry. */
  const released = new Map<string, () => void>();

  function get(id: string): Entry {
    const entry = entries.get(id);
    if (entry === undefined) throw unknown(id);
    entry.askedAt = Date.now();
    return entry;
  }

  function hand(id: string): void {
    const entry = entries.get(id);
    if (entry !== undefined) entry.recovered = undefined;
    released.get(id)?.();
    released.delete(id);
  }

  /** Runs it, and keeps its user's number until its instance is another's. */
  function begin(entry: Entry, of: InstanceRecord): void {
    const isOver = new Promise<void>((resolve) => released.set(entry.id, resolve));
    const work = async (slot: number) => {
      entry.working = run(entry, { ...of, slot });
      await entry.working;
      if (entry.state === "failed") hand(entry.id);
      await isOver;
    };
    worker.withSlot(entry.database, of.slot, work).catch((error) => log("error", messageOf(error)));
  }

  return {
    get,
    hand,
    all: () => [...entries.values()],
    start(id, request, purpose) {
      if (entries.has(id)) return;
      const of = worker.of(request.database);
      if (of === undefined) throw neverThere(request.database);
      const entry = newEntry(id, request, purpose);
      entries.set(id, entry);
      begin(entry, of);
    },
    ready(id, purpose) {
      const entry = get(id);
      return { entry, state: readyIn(entry, purpose) };
    },
    reportOf: (id) => reportIn(get(id), [...entries.values()]),
    async end(id) {
      const entry = entries.get(id);
      if (entry === undefined) return;
      await endEntry(fleet, entry);
      hand(id);
      entries.delete(id);
    },
  };
}
