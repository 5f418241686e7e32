// An S3-compatible store as the second copy of all there is of a host's databases. It follows what
// is here and holds up nobody: what was written is sent within seconds, base backups beside that,
// and what could not be sent is sent once it can be. Whoever has the store and the fleet's secret
// can rebuild the host: see rebuild.ts.
import { setTimeout as delay } from "node:timers/promises";
import type { BackupProblem } from "../../src/contract/backup.ts";
import { log, messageOf } from "../base/log.ts";
import { repositoryOf } from "../repository/repository.ts";
import type { RecoverySource } from "../repository/source.ts";
import { keptSegment } from "./archive.ts";
import { bringBack, type Fetched, keepCopies } from "./bring-back.ts";
import { createDumpWork } from "./dumps.ts";
import { databasePrefix } from "./key.ts";
import { createRounds, type Late } from "./rounds.ts";
import { createSources } from "./source.ts";
import { createSweep } from "./sweep.ts";
import { createWork, openParts, type StoreOptions, type StoreParts } from "./work.ts";

/** How the store follows. */
export interface StoreStatus {
  /** Databases of which it lacks something. */
  readonly databases_late: number;
  /** Since when, and why; null while it lacks nothing, or it is not known why. */
  readonly behind_since: string | null;
  readonly reason: string | null;
}

/** The second copy. */
export interface Store {
  status(): StoreStatus;
  /** Databases the store has been behind of for more than a minute. */
  problems(): readonly BackupProblem[];
  /** Says that something was written of a database, or that its base backups are others. */
  follow(database: string): void;
  /** Keeps what tells the control plane whose a database is; `owner` is sealed by it. */
  noteOwner(database: string, owner: string): void;
  /**
   * Has the repository of a database be as the store has it, when the one here is lost or damaged.
   * Nothing else is to work with it meanwhile. @throws Error when the store does not have it
   */
  bringBackRepository(database: string): Promise<Fetched>;
  /** A database to be recovered from; it is fetched to a place of its own when it is asked for. */
  source(database: string): RecoverySource;
  /** Removes all it has of a database; to be called before its repository is removed. */
  forget(database: string): Promise<void>;
  /** Ends it; what was written last may be sent for some seconds before. */
  close(seconds?: number): Promise<void>;
}

/** Rounds at a time, and between two of one database. */
const walPace = { atOnce: 8, restMilliseconds: 1500 };
const backupPace = { atOnce: 2, restMilliseconds: 5000 };
const dumpPace = { atOnce: 1, restMilliseconds: 5000 };
const sweepMilliseconds = 3000;
const lateMilliseconds = 60_000;
/** A base backup may be large. */
const lateBackupMilliseconds = 6 * 3600_000;
const lookMilliseconds = 50;

function toldOf(what: string) {
  return (problem: string | null) =>
    problem === null
      ? log("info", `The store follows ${what} again.`)
      : log("error", `The store does not follow ${what}: ${problem}`);
}

/** Those that are late for longer than is usual. */
function problemsOf(late: readonly Late[], milliseconds: number, now: number): BackupProblem[] {
  const isLate = ({ since, reason }: Late) =>
    now - since > (reason === null ? milliseconds : lateMilliseconds);
  return late.filter(isLate).map(({ database, since, reason }) => ({
    ...{ database, kind: "store_late" as const, since: new Date(since).toISOString() },
    detail: reason ?? "The store has not got everything yet; it goes on.",
  }));
}

function statusOf(late: readonly Late[]): StoreStatus {
  const first = late.toSorted((one, other) => one.since - other.since)[0];
  return {
    databases_late: new Set(late.map(({ database }) => database)).size,
    behind_since: first === undefined ? null : new Date(first.since).toISOString(),
    reason: late.find((one) => one.reason !== null)?.reason ?? null,
  };
}

/** The rounds of a store, and what has them begin. */
function openRounds(options: StoreOptions, parts: StoreParts) {
  const work = createWork(options, parts);
  const { s3, sealer, ledgers, claim } = parts;
  const dumpWork = createDumpWork({ directory: options.dumps, s3, sealer }, ledgers, claim);
  const dumps = createRounds({ ...dumpPace, work: dumpWork.send, told: toldOf("dumps") });
  const told = toldOf("base backups");
  const backups = createRounds({ ...backupPace, work: work.backups, told });
  const wal = createRounds({
    ...{ ...walPace, told: toldOf("WAL") },
    work: async (database) => {
      const hasMore = await work.wal(database);
      if (work.hasOtherBackups(database)) backups.need(database);
      return hasMore;
    },
  });
  const sweep = createSweep(options);
  const forgotten = new Set<string>();

  function follow(database: string): void {
    if (!forgotten.has(database)) wal.need(database);
  }

  async function lookAround(): Promise<void> {
    for (const database of sweep.changed()) follow(database);
    for (const id of await dumpWork.changed()) dumps.need(id);
    const next = sweep.next();
    if (next === undefined || forgotten.has(next)) return;
    work.doubt(next);
    follow(next);
    backups.need(next);
  }

  const timer = setInterval(() => {
    lookAround().catch((error) => log("error", `The store is not looked at: ${messageOf(error)}`));
  }, sweepMilliseconds).unref();

  return {
    ...{ work, wal, backups, follow },
    late: () => [...wal.late(), ...backups.late()],
    async leave(database: string): Promise<void> {
      forgotten.add(database);
      await Promise.all([wal.leave(database), backups.leave(database)]);
      work.forget(database);
    },
    async close(): Promise<void> {
      clearInterval(timer);
      const closing = [wal.close(), backups.close(), dumps.close()];
      // What is being sent breaks off, and is sent again.
      s3.close();
      await Promise.all(closing);
    },
  };
}

/** Opens it; nobody waits for the store. */
export function openStore(options: StoreOptions): Store {
  const parts = openParts(options);
  const { s3, sealer, ledgers, owners } = parts;
  const { work, wal, backups, follow, late, leave, close } = openRounds(options, parts);
  return {
    follow,
    status: () => statusOf(late()),
    problems: () => [
      ...problemsOf(wal.late(), lateMilliseconds, Date.now()),
      ...problemsOf(backups.late(), lateBackupMilliseconds, Date.now()),
    ],
    noteOwner(database, owner) {
      owners.set(database, owner);
      follow(database);
    },
    async bringBackRepository(database) {
      const { fleet, keeper, retention } = options;
      const box = keeper.roster.box(keeper.live(database).record.name);
      const directory = work.directoryOf(database);
      const fetched = await bringBack({ s3, sealer, database, directory, uid: box.uid });
      await keepCopies(repositoryOf(fleet, database, retention), box, keptSegment(directory));
      follow(database);
      return fetched;
    },
    source: createSources(options, parts),
    async forget(database) {
      await leave(database);
      const keys: string[] = [];
      for await (const { key } of s3.list(databasePrefix(database))) keys.push(key);
      await s3.remove(keys);
      ledgers.remove(database);
      owners.remove(database);
    },
    async close(seconds = 0) {
      const deadline = performance.now() + seconds * 1000;
      while (wal.late().length > 0 && performance.now() < deadline) await delay(lookMilliseconds);
      await close();
    },
  };
}
