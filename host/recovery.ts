// Recoveries of single databases: at most two work at a time, the others wait their turn. Each has
// a scratch directory; what it has come to is in there, so that a restarted host program takes a
// finished one over and removes all others.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import type { MomentRequest } from "../src/contract/moment.ts";
import { PreviewRequest } from "../src/contract/preview.ts";
import { RecoveryReport, RecoveryRequest } from "../src/contract/recovery.ts";
import { isAbandoned, isOfVerification } from "./abandoned.ts";
import type { Backup } from "./backup.ts";
import { type HostConfig, layout } from "./config.ts";
import { admitTenant, dump, type LoadTarget, load, unpack } from "./dump.ts";
import type { DumpStore } from "./dump-store.ts";
import { readIfExists, writeAtomically } from "./file.ts";
import { log, messageOf } from "./log.ts";
import type { Previews } from "./preview.ts";
import { HostProblem } from "./problem.ts";
import { type Attempt, attemptAfter, NoRoom, type Tried, verdictOf } from "./recovery-attempt.ts";
import {
  failureWords,
  type Problem,
  passedOver,
  recoveryProblem,
  type Told,
} from "./recovery-problem.ts";
import { chooseBackup, type Prepared, prepareWay } from "./recovery-way.ts";
import {
  evidenceIn,
  isRunning,
  type ReplayState,
  removeScratch,
  restoredBytes,
  type Scratch,
  scratchIn,
  scratchSession,
  settle,
  startScratch,
  untilTarget,
} from "./scratch.ts";
import { openRoom } from "./scratch-room.ts";
import type { Secrets } from "./secret.ts";
import type { Session } from "./session.ts";
import { createTurns, type Turns } from "./turn.ts";

const workersMax = 2;
// Beside what is restored: what replay makes of the neighbours, and the dump.
const spareBytes = 1024 ** 3;
// A look at what is restored reads thousands of files.
const lookMilliseconds = 1000;

const Recovery = RecoveryReport.omit({ position: true });
/** What a recovery has come to. */
export type Recovery = z.infer<typeof Recovery>;

/** A recovery that is open for reading, and until when. */
const Opened = z.object({ wanted: PreviewRequest, keepUntil: z.number() });
type Opened = z.infer<typeof Opened>;

const Kept = z.object({
  request: RecoveryRequest,
  recovery: Recovery,
  opened: Opened.optional(),
});

/** Recoveries of one cluster. */
export interface Recoveries {
  /** Begins one; with an id that is known, nothing. */
  start(id: string, request: RecoveryRequest): void;
  /** What it has come to, and how many are before it. @throws HostProblem 404 */
  statusOf(id: string): Recovery & { readonly position: number };
  /** The scratch cluster of a ready one. @throws HostProblem 404, 409 */
  scratchOf(id: string): Scratch;
  /** Begins to load a ready one into a live database. @throws HostProblem 404, 409 */
  load(id: string, into: LoadTarget): void;
  /** Opens a ready one for reading. @throws HostProblem 404, 409 */
  open(id: string, wanted: PreviewRequest): Promise<void>;
  /** Ends it, whatever it does, and removes all of it. */
  end(id: string): Promise<void>;
  /** Stops and removes all there are: with this program ends what looks after them. */
  endAll(): Promise<void>;
  /** Removes what nobody has asked for in a long time, and previews whose time is over. */
  removeAbandoned(): Promise<void>;
}

interface Entry {
  readonly scratch: Scratch;
  readonly request: RecoveryRequest;
  recovery: Recovery;
  opened?: Opened;
  askedAt: number;
  isEnding: boolean;
  working: Promise<void> | undefined;
}

const fresh = (id: string): Recovery => ({
  recovery_id: id,
  state: "waiting",
  step: "wait",
  step_milliseconds: {},
  bytes_total: 0,
  bytes_restored: 0,
  backup_label: null,
  method: null,
  repository: null,
  start_lsn: null,
  replayed_lsn: null,
  reached_at: null,
  evidence: null,
  passed_over: [],
  database: null,
  error: null,
  load: null,
});

const stateFile = (directory: string) => join(directory, "recovery.json");

// Eight characters: the path of a socket is short.
function directoryOf(config: HostConfig, id: string): string {
  const name = createHash("sha256").update(id).digest("hex").slice(0, 8);
  return join(layout(config.directory).scratch, name);
}

// What others at work have not written yet is not free, though it looks so.
function checkSpace(entry: Entry, bytes: number, others: Iterable<Entry>): void {
  const { config } = entry.scratch;
  const { bavail, bsize } = statfsSync(config.directory);
  const taken = [...others]
    .filter((other) => other !== entry && other.recovery.state === "running")
    .map(({ recovery }) => bytesNeeded(recovery.bytes_total) - recovery.bytes_restored);
  const free = bavail * bsize - taken.reduce((sum, each) => sum + each, 0);
  const needed = bytesNeeded(bytes);
  if (free >= needed) return;
  const words = `The recovery needs ${needed} bytes of disk, ${Math.max(free, 0)} are free.`;
  throw new NoRoom(`${words} Make room on the host's disk, then restore again.`);
}

const bytesNeeded = (bytes: number) => 3 * bytes + spareBytes;

/** How a recovery's steps are run: each is timed, and its name is known while it runs. */
function stepsOf(entry: Entry) {
  const note = (fields: Partial<Recovery>) => {
    entry.recovery = { ...entry.recovery, ...fields };
  };
  const step = async <Result>(name: string, work: () => Promise<Result>): Promise<Result> => {
    if (entry.isEnding) throw new Error("It was ended.");
    note({ step: name });
    const since = performance.now();
    const result = await work();
    const took = { [name]: Math.round(performance.now() - since) };
    note({ step_milliseconds: { ...entry.recovery.step_milliseconds, ...took } });
    return result;
  };
  return { note, step };
}

/** Tries one way after the other; the error says what became of each. */
async function recover(house: House, entry: Entry, request: MomentRequest): Promise<void> {
  const tried: Tried[] = [];
  const failures: Told[] = [];
  for (;;) {
    const attempt = entry.isEnding ? undefined : attemptAfter(tried, house.backup);
    if (attempt === undefined) throw new Error(failureWords(failures));
    if (tried.length > 0) await clear(entry);
    try {
      return await recoverBy(attempt, house, entry, request);
    } catch (error) {
      const { way } = attempt;
      const { step, backup_label: label } = entry.recovery;
      const found = problemOf(entry, error);
      tried.push({ way, label, verdict: verdictOf({ error: found.error, step, label }) });
      failures.push({ ...found, repository: way.repository, backup_label: label });
      stepsOf(entry).note({ passed_over: passedOver(failures) });
      log("warn", `A way of recovery failed. ${found.problem}`);
    }
  }
}

async function clear(entry: Entry): Promise<void> {
  const { scratch } = entry;
  stepsOf(entry).note({
    backup_label: null,
    bytes_restored: 0,
    start_lsn: null,
    replayed_lsn: null,
  });
  await removeScratch(scratch);
  mkdirSync(scratch.files.directory, { recursive: true, mode: 0o700 });
}

function problemOf({ recovery, scratch }: Entry, error: unknown): Problem {
  const log = readIfExists(scratch.files.log) ?? "";
  const { directory } = scratch.config;
  return recoveryProblem(error, { ...recovery, log, directory });
}

async function recoverBy(
  attempt: Attempt,
  { backup, entries }: House,
  entry: Entry,
  request: MomentRequest,
): Promise<void> {
  const { scratch } = entry;
  const { note, step } = stepsOf(entry);
  const { way } = attempt;
  note({ ...way });
  const chosen = await step("choose", () => chooseBackup(attempt, scratch, request, backup));
  note({ backup_label: chosen.label, start_lsn: chosen.startLsn });
  const prepared = await step("view", () => prepareWay(way, scratch, chosen, request, backup));
  try {
    checkSpace(entry, prepared.bytes, entries.values());
    await carryOut(entry, prepared, request.database_oid);
  } finally {
    await prepared.stop();
  }
}

async function carryOut(entry: Entry, prepared: Prepared, oid: number): Promise<void> {
  const { scratch } = entry;
  const { note, step } = stepsOf(entry);
  const { bytes } = prepared;
  note({ bytes_total: bytes });
  const measure = async () => {
    note({ bytes_restored: Math.min(bytes, await restoredBytes(scratch)) });
  };
  await step("restore", () => meanwhile(measure, prepared.restore));
  note({ bytes_restored: bytes });
  const settings = await step("fetch_wal", prepared.settings);
  const reached = await withSession(scratch, async (session) => {
    const state = await step("replay", () => replay(entry, session, settings));
    await step("settle", () => settle(scratch, session, oid));
    return state;
  });
  const { database } = await step("admit", () => admitTenant(scratch, oid));
  const evidence = evidenceIn(readIfExists(scratch.files.log) ?? "") ?? null;
  note({ state: "ready", reached_at: reached.reachedAt, evidence, database });
}

function replay(entry: Entry, session: Session, settings: string): Promise<ReplayState> {
  const { note } = stepsOf(entry);
  const started = startScratch(entry.scratch, settings);
  const onProgress = ({ lsn }: ReplayState) => note({ replayed_lsn: lsn });
  return untilTarget(entry.scratch, started, session, onProgress);
}

// One session for all of it: at the target a new one may wait for a lock that replay holds.
async function withSession<Result>(
  scratch: Scratch,
  work: (session: Session) => Promise<Result>,
): Promise<Result> {
  const session = scratchSession(scratch, "postgres");
  return work(session).finally(() => session.close());
}

/** The same from a dump: what is in it needs no cluster to be read. */
async function takeDump(entry: Entry, id: string, dumps: DumpStore): Promise<void> {
  const { note, step } = stepsOf(entry);
  const { facts, content } = await step("choose", () => dumps.read(id));
  note({ bytes_total: facts.size_bytes });
  await step("unpack", () => unpack(entry.scratch, content));
  note({ state: "ready" });
}

const constantly = (value: boolean) => () => value;

/** Does something now and then while work goes on. */
async function meanwhile(look: () => Promise<void>, work: () => Promise<void>): Promise<void> {
  const done = new AbortController();
  const looking = (async () => {
    const pause = () => delay(lookMilliseconds, undefined, { signal: done.signal });
    const isOver = () => pause().then(constantly(false), constantly(true));
    while (!(await isOver())) await look().catch(() => undefined);
  })();
  await work().finally(() => done.abort());
  await looking;
}

/** What recoveries work with. */
export interface Beside {
  readonly dumps: DumpStore;
  readonly previews: Previews;
  /** Lets a live database's backends have what loading takes. */
  readonly whileLoading: (database: string, work: () => Promise<void>) => Promise<void>;
}

/** What all recoveries of a cluster share. */
interface House {
  readonly previews: Previews;
  readonly config: HostConfig;
  readonly secrets: Secrets;
  readonly backup: Backup;
  readonly dumps: DumpStore;
  readonly whileLoading: Beside["whileLoading"];
  readonly entries: Map<string, Entry>;
  /** At most so many work at a time; the others wait in the order they came. */
  readonly inTurn: Turns;
}

function scratchOf({ config, secrets }: House, id: string): Scratch {
  return scratchIn(config, secrets, directoryOf(config, id));
}

function persist({ scratch, request, recovery, opened }: Entry): void {
  if (!existsSync(scratch.files.directory)) return;
  const text = JSON.stringify({ request, recovery, opened });
  try {
    writeAtomically(stateFile(scratch.files.directory), text);
  } catch (error) {
    // It is there all the same, as long as this program is.
    log("error", `A recovery's state cannot be kept: ${messageOf(error)}`);
  }
}

/** @throws HostProblem 404, or 409 unless its scratch cluster is at the target */
function readyEntryOf(house: House, id: string): Entry {
  const entry = entryOf(house, id);
  if (entry.recovery.state === "ready") return entry;
  throw new HostProblem(409, "not_ready", `The recovery is ${entry.recovery.state}.`);
}

function entryOf({ entries }: House, id: string): Entry {
  const entry = entries.get(id);
  if (entry === undefined) {
    throw new HostProblem(404, "unknown_recovery", `There is no recovery ${id} here.`);
  }
  entry.askedAt = Date.now();
  return entry;
}

async function run(house: House, entry: Entry): Promise<void> {
  const { backup, dumps, inTurn } = house;
  const letGo = backup.base.hold();
  try {
    await inTurn(async () => {
      entry.recovery = { ...entry.recovery, state: "running" };
      mkdirSync(entry.scratch.files.directory, { recursive: true, mode: 0o700 });
      const { request } = entry;
      if ("dump_id" in request) await takeDump(entry, request.dump_id, dumps);
      else await recover(house, entry, request);
    });
  } catch (error) {
    log("error", `A recovery failed: ${messageOf(error)}`);
    await removeScratch(entry.scratch).catch((left) => log("error", messageOf(left)));
    entry.recovery = { ...entry.recovery, state: "failed", error: messageOf(error) };
  } finally {
    letGo();
    persist(entry);
  }
}

async function runLoad(
  { inTurn, whileLoading }: House,
  entry: Entry,
  into: LoadTarget,
): Promise<void> {
  const { database } = into;
  const tell = (state: NonNullable<Recovery["load"]>["state"], error: string | null = null) => {
    entry.recovery = { ...entry.recovery, load: { database, state, error } };
  };
  try {
    const { request, scratch } = entry;
    await inTurn(async () => {
      const isDump = "dump_id" in request;
      if (!isDump) await dump(scratch, await admitTenant(scratch, request.database_oid));
      await whileLoading(database, () => load(scratch, into, isDump ? "any" : "own"));
    });
    tell("succeeded");
  } catch (error) {
    log("error", `A recovered database could not be loaded: ${messageOf(error)}`);
    tell("failed", messageOf(error));
  }
}

async function open(house: House, entry: Entry): Promise<void> {
  const { opened, scratch, recovery, request } = entry;
  if (opened === undefined || "dump_id" in request) return;
  const tenant = await admitTenant(scratch, request.database_oid);
  await house.previews.open(recovery.recovery_id, scratch, tenant, opened.wanted);
}

function isUnwanted({ recovery, opened, askedAt }: Entry): boolean {
  const isLoading = recovery.load?.state === "running";
  const { state } = recovery;
  return isAbandoned({ state, askedAt, isLoading, keepUntil: opened?.keepUntil }, Date.now());
}

async function end(house: House, id: string): Promise<void> {
  const entry = house.entries.get(id);
  await house.previews.close(id);
  if (entry === undefined) return removeScratch(scratchOf(house, id));
  entry.isEnding = true;
  await removeScratch(entry.scratch);
  await entry.working;
  await removeScratch(entry.scratch);
  house.entries.delete(id);
}

// What cannot be read is nobody's, and removed.
function readKept(directory: string): z.infer<typeof Kept> | undefined {
  try {
    return Kept.parse(JSON.parse(readIfExists(stateFile(directory)) ?? "null"));
  } catch {
    return undefined;
  }
}

/** Takes over what is ready since an earlier program, and removes the rest. */
async function adopt(house: House): Promise<void> {
  const { config, secrets, entries } = house;
  const { scratch: parent } = layout(config.directory);
  openRoom(config);
  for (const name of readdirSync(parent)) {
    const scratch = scratchIn(config, secrets, join(parent, name));
    const kept = readKept(join(parent, name));
    const isWanted = kept?.recovery.state === "ready" && !isOfVerification(kept.request);
    if (isWanted && isRunning(scratch)) {
      const { request, recovery, opened } = kept;
      const rest = { askedAt: Date.now(), isEnding: false, working: undefined };
      const entry = { scratch, request, recovery, ...rest, ...(opened && { opened }) };
      entries.set(recovery.recovery_id, entry);
      await open(house, entry);
    } else {
      await removeScratch(scratch);
    }
  }
  await house.previews.keepOnly(new Set(entries.keys()));
}

/** Opens the scratch directory. */
export async function openRecoveries(
  config: HostConfig,
  secrets: Secrets,
  backup: Backup,
  beside: Beside,
): Promise<Recoveries> {
  const entries = new Map<string, Entry>();
  const inTurn = createTurns(workersMax);
  const house: House = { config, secrets, backup, ...beside, entries, inTurn };
  await adopt(house);
  return {
    start(id, request) {
      if (entries.has(id)) return;
      const rest = { askedAt: Date.now(), isEnding: false, working: undefined };
      const entry: Entry = {
        scratch: scratchOf(house, id),
        request,
        recovery: fresh(id),
        ...rest,
      };
      entries.set(id, entry);
      entry.working = run(house, entry);
    },
    statusOf(id) {
      const { recovery } = entryOf(house, id);
      const waiting = [...entries.values()].filter((entry) => entry.recovery.state === "waiting");
      const position = waiting.findIndex((entry) => entry.recovery.recovery_id === id) + 1;
      return { ...recovery, position };
    },
    scratchOf: (id) => readyEntryOf(house, id).scratch,
    load(id, into) {
      const entry = readyEntryOf(house, id);
      if (entry.recovery.load?.state === "running") return;
      const load = { database: into.database, state: "running" as const, error: null };
      entry.recovery = { ...entry.recovery, load };
      entry.working = runLoad(house, entry, into);
    },
    async open(id, wanted) {
      const entry = readyEntryOf(house, id);
      if ("dump_id" in entry.request) {
        throw new HostProblem(409, "not_a_cluster", "A dump cannot be read before it is loaded.");
      }
      entry.opened ??= { wanted, keepUntil: Date.now() + wanted.keep_seconds * 1000 };
      persist(entry);
      await open(house, entry);
    },
    end: (id) => end(house, id),
    async endAll() {
      const scratches = [...entries.values()].map(({ scratch }) => scratch);
      await Promise.allSettled(scratches.map(removeScratch));
    },
    async removeAbandoned() {
      for (const [id, entry] of entries) {
        if (isUnwanted(entry)) await end(house, id);
      }
    },
  };
}
