// Base backups of a host's databases: as they become due, few at a time and behind all that serves,
// or when they are asked for.
import type { BackupProblem } from "../../src/contract/instance/backup.ts";
import type { DatabaseMeans } from "../database/means.ts";
import type { Awake } from "../dump/awake.ts";
import { log, messageOf } from "../log.ts";
import { HostProblem } from "../problem.ts";
import { createTurns } from "../turn.ts";
import { backupDue, hasWritten } from "./due.ts";
import { noteInstance } from "./known.ts";
import { type RemovalMeans, removeExpired } from "./removed.ts";
import type { BackupType } from "./repository.ts";
import { dropWhereFull } from "./room.ts";
import { type Asked, type BackupStates, openBackupStates } from "./state.ts";

const workersMax = 2;
const lateWalMilliseconds = 60_000;
const lateBackupMilliseconds = 2 * 86_400_000;
const sweepMilliseconds = 3_600_000;

/** What backups work with, beside what all verbs of databases do. */
export interface BackupMeans extends DatabaseMeans, Pick<RemovalMeans, "beforeGone"> {
  readonly awake: Awake;
  /** Told of each database whose base backups are others than before. */
  readonly afterBackup?: (database: string) => void;
}

/** Base backups of a host. */
export interface Backups {
  /** Begins one by an id; with an id that is known, nothing. @throws HostProblem 404, 409 */
  start(database: string, id: string, type: BackupType): void;
  /** @throws HostProblem 404 */
  statusOf(database: string, id: string): Asked;
  /** Takes one; also when it waits for another one of the same database. */
  take(database: string, type: BackupType): Promise<void>;
  /** Takes one as soon as there is a place for it; nobody waits. */
  soon(database: string, type: BackupType): void;
  /** Sees to it that there is one. */
  ensure(database: string): Promise<void>;
  /** Notes that a recovery found one damaged: a full one is due. */
  noteDamage(database: string, detail: string): void;
  problems(): readonly BackupProblem[];
  /** Begins those that are due, and removes what is past its time; to be called each minute. */
  look(): Promise<void>;
  /** Begins no more; resolves when none is at work. */
  close(): Promise<void>;
}

/** What they share. */
interface House {
  readonly means: BackupMeans;
  readonly states: BackupStates;
  /** What runs or waits, by database. */
  readonly running: Map<string, Promise<void>>;
}

/** Takes one, and takes away what it makes superfluous. */
async function backUp(house: House, database: string, type: BackupType): Promise<void> {
  const { means, states } = house;
  const { awake, keeper, wal, safe, afterBackup } = means;
  const repository = safe.repository(database);
  await awake.while(database, async (box) => {
    const { record } = keeper.roster.get(box.place.name);
    await wal.takeNow(database);
    await repository.backUp(box, type);
    await wal.takeNow(database);
    const newest = (await repository.list(box)).at(-1);
    if (newest === undefined) throw new Error("pgBackRest has no base backup after it took one.");
    noteInstance(repository.directory, record);
    const before = states.get(database);
    const at = Date.now();
    states.change(database, {
      newest: { label: newest.label, at, position: String(wal.position(database) ?? 0n) },
      fullAt: newest.type === "full" ? at : before.fullAt,
      failed: null,
      damaged: newest.type === "full" ? null : before.damaged,
    });
    // A restore to a moment since reads what is at hand; one that goes on may read more.
    if (!safe.isHeld(database)) wal.prune(database, newest.firstWal);
    await safe.laidOuts(database).make(record, newest);
    await wal.takeNow(database);
    if (!safe.isHeld(database)) await repository.expire(box);
    const { newest: known } = states.get(database);
    const position = String(wal.position(database) ?? 0n);
    if (known !== null) states.change(database, { newest: { ...known, position } });
    afterBackup?.(database);
  });
}

function noteFailure({ states }: House, database: string, error: unknown): void {
  const detail = messageOf(error);
  log("error", `A base backup of ${database} failed: ${detail}`);
  const now = new Date();
  const since = states.get(database).failed?.since ?? now.toISOString();
  states.change(database, { failed: { since, detail, at: now.getTime() } });
}

/** Runs them in turn, one of a database at a time. */
function createTake(house: House, inTurn: ReturnType<typeof createTurns>) {
  const { running, means } = house;

  async function run(database: string, type: BackupType): Promise<void> {
    let served: string | undefined;
    try {
      await inTurn(async () => {
        served = instanceOf(means, database);
        await backUp(house, database, type);
      });
    } catch (error) {
      // Of one that is gone, was stopped or exchanged meanwhile nothing is amiss.
      const isSame = served !== undefined && served === instanceOf(means, database);
      if (isSame && !(error instanceof HostProblem)) noteFailure(house, database, error);
      throw error;
    }
  }

  return (database: string, type: BackupType): Promise<void> => {
    const before = running.get(database)?.catch(() => undefined) ?? Promise.resolve();
    const work = before.then(() => run(database, type));
    const settled = work.finally(() => {
      if (running.get(database) === settled) running.delete(database);
    });
    settled.catch(() => undefined);
    running.set(database, settled);
    return settled;
  };
}

/** What is not as it should be with one. */
function problemsOf({ means, states }: House, database: string): BackupProblem[] {
  const { wal, files } = means;
  const { failed, damaged, newest } = states.get(database);
  const now = Date.now();
  const found: BackupProblem[] = [];
  const tell = (kind: BackupProblem["kind"], since: string, detail: string) =>
    found.push({ database, kind, since, detail });
  const late = wal.failureOf(database);
  if (late !== null && now - late.since.getTime() > lateWalMilliseconds) {
    tell("wal_late", late.since.toISOString(), late.problem);
  }
  if (failed !== null) tell("backup_failed", failed.since, failed.detail);
  if (damaged !== null) tell("damaged", damaged.since, damaged.detail);
  const { createdAt } = files.databases.get(database);
  const position = wal.position(database);
  const last = newest?.at ?? Date.parse(createdAt);
  const isBehind = position !== null && hasWritten(states.get(database), position);
  if (isBehind && now - last > lateBackupMilliseconds) {
    const since = new Date(last + lateBackupMilliseconds / 2).toISOString();
    tell("backup_late", since, `Its last base backup was over at ${new Date(last).toISOString()}.`);
  }
  return found;
}

function createLook(house: House, take: ReturnType<typeof createTake>) {
  const { means, states, running } = house;
  let sweptAt = Number.NEGATIVE_INFINITY;

  /** Whose base backup may be taken now: a stopped one has written nothing since it was stopped. */
  const candidates = () =>
    means.files.databases
      .all()
      .map(({ database }) => database)
      .filter((database) => !running.has(database) && isServed(means, database));

  return async () => {
    const now = Date.now();
    for (const database of candidates()) {
      const type = backupDue(database, states.get(database), means.wal.position(database), now);
      if (type !== null) take(database, type).catch(() => undefined);
    }
    await dropWhereFull(means);
    if (performance.now() - sweptAt < sweepMilliseconds) return;
    sweptAt = performance.now();
    for (const gone of await removeExpired(means)) states.forget(gone);
  };
}

function isServed({ keeper, files }: DatabaseMeans, database: string): boolean {
  const { stage } = files.databases.get(database);
  return stage === undefined && keeper.find(database)?.record.wanted !== "stopped";
}

/** The instance that serves a database; undefined when none does. */
function instanceOf({ keeper, files }: DatabaseMeans, database: string): string | undefined {
  return files.databases.has(database) ? keeper.find(database)?.record.name : undefined;
}

/** Begins one by an id. */
function createStart({ states, running, means }: House, take: ReturnType<typeof createTake>) {
  return (database: string, id: string, type: BackupType): void => {
    means.files.databases.get(database);
    if (states.get(database).asked.some(({ backup_id: known }) => known === id)) return;
    if (running.has(database)) {
      throw new HostProblem(409, "backup_running", "A base backup of it runs: ask again later.");
    }
    const begun = { backup_id: id, started_at: new Date().toISOString() };
    states.ask(database, { ...begun, state: "running", ended_at: null, error: null });
    const end = (state: "succeeded" | "failed", error: string | null) => {
      if (!means.files.databases.has(database)) return;
      states.ask(database, { ...begun, state, ended_at: new Date().toISOString(), error });
    };
    take(database, type).then(
      () => end("succeeded", null),
      (error) => end("failed", messageOf(error)),
    );
  };
}

/** Opens the backups of a host. */
export function openBackups(means: BackupMeans): Backups {
  const states = openBackupStates((database) => means.safe.repository(database).directory);
  const house: House = { means, states, running: new Map() };
  const { running } = house;
  let isClosed = false;
  const inTurn = createTurns(workersMax);
  const take = createTake(house, async (work) =>
    inTurn(async () => {
      if (isClosed) throw new Error("The host program ends.");
      await work();
    }),
  );
  return {
    take,
    start: createStart(house, take),
    look: createLook(house, take),
    statusOf(database, id) {
      const asked = states.get(database).asked.find(({ backup_id: known }) => known === id);
      if (asked !== undefined) return asked;
      throw new HostProblem(404, "unknown_backup", `No backup ${id} was asked for here.`);
    },
    soon(database, type) {
      take(database, type).catch((error) => {
        log("info", `A base backup of ${database} is put off: ${messageOf(error)}`);
      });
    },
    async ensure(database) {
      while (states.get(database).newest === null) {
        await (running.get(database) ?? take(database, "full"));
      }
    },
    noteDamage(database, detail) {
      if (states.get(database).damaged !== null) return;
      states.change(database, { damaged: { since: new Date().toISOString(), detail } });
    },
    problems: () =>
      means.files.databases.all().flatMap(({ database }) => problemsOf(house, database)),
    async close() {
      isClosed = true;
      await Promise.allSettled(running.values());
    },
  };
}
