// An S3-compatible store as the second copy of all there is of a host's databases. It follows what
// is here and holds up nobody: what was written is sent within seconds, base backups beside that,
// and what could not be sent is sent once it can be. Whoever has the store and the fleet's secret
// can rebuild the host: see rebuild.ts.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseName } from "../../src/contract/database.ts";
import type { BackupProblem } from "../../src/contract/instance/backup.ts";
import { type Retention, repositoryKey, repositoryOf } from "../base-backup/repository.ts";
import type { DatabaseFiles, DatabaseRecord } from "../database/record.ts";
import { makePrivateDirectories } from "../file.ts";
import type { Fleet } from "../instance/fleet.ts";
import { readInside } from "../instance/inside.ts";
import type { Keeper } from "../instance/keeper.ts";
import type { InstanceRecord } from "../instance/record.ts";
import { log } from "../log.ts";
import { type AskBackups, sendBackups } from "./backups.ts";
import { bringBack, type Fetched } from "./bring-back.ts";
import { createClaim } from "./claim.ts";
import { type Copying, readStore } from "./copying.ts";
import { databasePrefix } from "./key.ts";
import { openLedgers } from "./ledger.ts";
import { openOwners, type StoredRecord, sendRecord, sendRemoval } from "./record.ts";
import { createRounds, type Late } from "./rounds.ts";
import { openS3, type S3Settings } from "./s3.ts";
import { createSealer } from "./seal.ts";
import { sendWal, type TailState } from "./tail.ts";

/** What a store follows, and where it is. */
export interface StoreOptions {
  readonly fleet: Fleet;
  readonly keeper: Pick<Keeper, "live" | "roster">;
  readonly files: Pick<DatabaseFiles, "databases">;
  readonly retention: Retention;
  readonly s3: S3Settings;
  readonly hostId: string;
  /** Made once with the directory of the host. */
  readonly identity: string;
}

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
  /** Removes all it has of a database; to be called before its repository is removed. */
  forget(database: string): Promise<void>;
  close(): Promise<void>;
}

/** Rounds at a time, and between two of one database. */
const wal = { atOnce: 8, restMilliseconds: 1500 };
const backups = { atOnce: 2, restMilliseconds: 5000 };
/** Of each database all is looked at again, one after the other. */
const sweepMilliseconds = 2000;
/** The store itself is read that often. */
const readMilliseconds = 24 * 3600_000;
const lateMilliseconds = 60_000;
/** A base backup may be large. */
const lateBackupMilliseconds = 6 * 3600_000;

/** Where the store's own notes are on this machine. */
export const storeDirectory = ({ directory }: Pick<Fleet, "directory">) => join(directory, "store");

const repositories = ({ directory }: Pick<Fleet, "directory">) => join(directory, "repository");

/** What is known of a database since this program started. */
interface Known extends TailState {
  /** As the list of its base backups was when the store had all of them. */
  listed: string | undefined;
  isRemoved: boolean;
}

/** Finds out what a database is now. */
function createQuestions({ fleet, keeper, files, retention }: StoreOptions) {
  function instanceOf(database: string): InstanceRecord | undefined {
    try {
      return keeper.live(database).record;
    } catch {
      return undefined;
    }
  }

  return {
    instanceOf,
    recordOf: (database: string): DatabaseRecord | undefined =>
      files.databases.has(database) ? files.databases.get(database) : undefined,
    ask: (database: string): AskBackups => {
      return async () => {
        const instance = instanceOf(database);
        if (instance === undefined) return undefined;
        return repositoryOf(fleet, database, retention).list(keeper.roster.box(instance.name));
      };
    },
  };
}

/** The work of both kinds of rounds. */
function createWork(options: StoreOptions, parts: ReturnType<typeof openParts>) {
  const { fleet, retention } = options;
  const { s3, sealer, ledgers, owners, claim } = parts;
  const { recordOf, instanceOf, ask } = createQuestions(options);
  const known = new Map<string, Known>();

  function knownOf(database: string): Known {
    const fresh = { looks: new Map(), archived: undefined, listed: undefined, isRemoved: false };
    const found = known.get(database) ?? fresh;
    known.set(database, found);
    return found;
  }

  const directoryOf = (database: string) => join(repositories(fleet), database);
  const listState = (database: string) =>
    readInside(directoryOf(database), "data", "backup", "main", "backup.info")?.state;

  async function copying<Result>(database: string, work: (it: Copying) => Promise<Result>) {
    await claim();
    return ledgers.use(database, async (ledger) => {
      const pass = repositoryKey(fleet, database);
      const it = { database, directory: directoryOf(database), ledger, s3, sealer, pass };
      await readStore(it, readMilliseconds);
      return work(it);
    });
  }

  async function sendWhatItIs(it: Copying, state: Known): Promise<void> {
    const [record, instance] = [recordOf(it.database), instanceOf(it.database)];
    if (record !== undefined && instance !== undefined) {
      const owner = owners.get(it.database);
      const stored: StoredRecord = { record, instance, owner, removedAt: null };
      return sendRecord(it, stored);
    }
    if (record !== undefined || state.isRemoved) return;
    await sendRemoval(it);
    state.isRemoved = true;
  }

  return {
    directoryOf,
    forgetKnown: (database: string) => void known.delete(database),
    /** Looks at all of it next time. */
    doubt: (database: string) => Object.assign(knownOf(database), { archived: undefined }),
    hasOtherBackups: (database: string) => listState(database) !== knownOf(database).listed,
    wal: (database: string) =>
      copying(database, async (it) => {
        const state = knownOf(database);
        await sendWhatItIs(it, state);
        return sendWal(it, state);
      }),
    backups: (database: string) =>
      copying(database, async (it) => {
        const listed = listState(database);
        await sendBackups(it, ask(database), retention);
        knownOf(database).listed = listed;
        return false;
      }),
  };
}

function openParts({ fleet, s3: settings, hostId, identity }: StoreOptions) {
  const directory = storeDirectory(fleet);
  makePrivateDirectories(directory);
  const s3 = openS3({ ...settings, prefix: `${settings.prefix}/${hostId}` });
  const sealer = createSealer(fleet.secret);
  const owners = openOwners(directory);
  const ledgers = openLedgers(directory);
  return { s3, sealer, owners, ledgers, claim: createClaim(s3, sealer, directory, identity) };
}

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

/** Sees which databases are others than they were, and at all of them in turn. */
function createSweep({ fleet, files, keeper }: StoreOptions, look: (database: string) => void) {
  const seen = new Map<string, readonly [DatabaseRecord, InstanceRecord | undefined]>();
  let turn: string[] = [];

  function lookAtRecords(): void {
    const { instanceOf } = createQuestions({ fleet, files, keeper } as StoreOptions);
    const all = new Map(files.databases.all().map((record) => [record.database, record]));
    for (const [database, record] of all) {
      const instance = instanceOf(database);
      const [before, beforeIn] = seen.get(database) ?? [];
      if (before === record && beforeIn === instance) continue;
      seen.set(database, [record, instance]);
      look(database);
    }
    for (const database of seen.keys()) {
      if (all.has(database)) continue;
      seen.delete(database);
      look(database);
    }
  }

  return {
    lookAtRecords,
    /** The next one in turn; undefined when there is none. */
    next(): string | undefined {
      const directory = repositories(fleet);
      if (turn.length === 0 && existsSync(directory)) {
        turn = readdirSync(directory).filter((name) => DatabaseName.safeParse(name).success);
      }
      return turn.pop();
    },
  };
}

/** Opens it; nobody waits for the store. */
export function openStore(options: StoreOptions): Store {
  const parts = openParts(options);
  const { s3, sealer, ledgers, owners } = parts;
  const work = createWork(options, parts);
  const forgotten = new Set<string>();
  const backupRounds = createRounds({
    ...{ ...backups, work: work.backups, told: toldOf("base backups") },
  });
  const walRounds = createRounds({
    ...{ ...wal, told: toldOf("WAL") },
    work: async (database) => {
      const hasMore = await work.wal(database);
      if (work.hasOtherBackups(database)) backupRounds.need(database);
      return hasMore;
    },
  });

  function follow(database: string): void {
    if (!forgotten.has(database)) walRounds.need(database);
  }

  const sweep = createSweep(options, follow);
  const timer = setInterval(() => {
    sweep.lookAtRecords();
    const database = sweep.next();
    if (database === undefined || forgotten.has(database)) return;
    work.doubt(database);
    follow(database);
    backupRounds.need(database);
  }, sweepMilliseconds).unref();

  const late = () => [...walRounds.late(), ...backupRounds.late()];
  return {
    follow,
    status() {
      const all = late();
      const first = all.toSorted((one, other) => one.since - other.since)[0];
      const reason = all.find((one) => one.reason !== null)?.reason ?? null;
      return {
        databases_late: new Set(all.map(({ database }) => database)).size,
        behind_since: first === undefined ? null : new Date(first.since).toISOString(),
        reason,
      };
    },
    problems: () => [
      ...problemsOf(walRounds.late(), lateMilliseconds, Date.now()),
      ...problemsOf(backupRounds.late(), lateBackupMilliseconds, Date.now()),
    ],
    noteOwner(database, owner) {
      owners.set(database, owner);
      follow(database);
    },
    bringBackRepository(database) {
      const { uid } = options.keeper.roster.box(options.keeper.live(database).record.name);
      return bringBack({ s3, sealer, database, directory: work.directoryOf(database), uid });
    },
    async forget(database) {
      forgotten.add(database);
      await Promise.all([walRounds.leave(database), backupRounds.leave(database)]);
      const keys: string[] = [];
      for await (const { key } of s3.list(databasePrefix(database))) keys.push(key);
      await s3.remove(keys);
      ledgers.remove(database);
      owners.remove(database);
      work.forgetKnown(database);
    },
    async close() {
      clearInterval(timer);
      const closing = [walRounds.close(), backupRounds.close()];
      // What is being sent breaks off, and is sent again.
      s3.close();
      await Promise.all(closing);
    },
  };
}
