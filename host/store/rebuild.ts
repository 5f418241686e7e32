// Makes a host anew on a machine that has nothing of it, from the store and the host's secret: each
// database's repository is laid out, each is recovered to the last of its WAL, and is served where
// it was. Begun again after it was interrupted it goes on with those that are not done.
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type Retention, repositoryOf } from "../base-backup/repository.ts";
import { openDatabaseFiles } from "../database/record.ts";
import { makePrivateDirectories } from "../file.ts";
import { giveTo, makePassable } from "../instance/files.ts";
import { boxOf, type Fleet } from "../instance/fleet.ts";
import { listInside } from "../instance/inside.ts";
import { type Keeper, openKeeper } from "../instance/keeper.ts";
import type { InstanceRecord } from "../instance/record.ts";
import { platformSession } from "../instance/session.ts";
import { type Recovered, recover } from "../recovery/recover.ts";
import { createTurns } from "../turn.ts";
import { isSegment } from "../wal/segment.ts";
import { noteTimeline } from "../wal/timeline.ts";
import { bringBack, bringBackTimeline, keepCopies } from "./bring-back.ts";
import { readHost, takeStore } from "./claim.ts";
import { bringBackDumps } from "./dumps.ts";
import { databasesPrefix } from "./key.ts";
import { storeProblem } from "./problem.ts";
import { openProgress, type Rebuilt } from "./progress.ts";
import { openOwners, readStored, type StoredRecord } from "./record.ts";
import { openS3, type S3, type S3Settings } from "./s3.ts";
import { createSealer, type Sealer } from "./seal.ts";
import { storeDirectory } from "./work.ts";

/** Each reads and writes all of a database. */
const databasesAtOnce = 2;

/** What is rebuilt, from where. */
export interface RebuildOptions {
  readonly fleet: Fleet;
  readonly s3: S3Settings;
  readonly hostId: string;
  readonly retention: Retention;
  /** Where dumps are kept. */
  readonly dumps: string;
  /** Called with the identity the host has, before anything is made. */
  readonly identified: (identity: string) => void;
  /** Called with what became of each database. */
  readonly told: (rebuilt: Rebuilt) => void;
}

/** What the rebuild of each database works with. */
interface Means {
  readonly options: RebuildOptions;
  readonly s3: S3;
  readonly sealer: Sealer;
  readonly keeper: Keeper;
  readonly files: ReturnType<typeof openDatabaseFiles>;
  readonly progress: ReturnType<typeof openProgress>;
  readonly owners: ReturnType<typeof openOwners>;
  /** Gives a database the number it had, unless another one has it. */
  readonly slotOf: (stored: StoredRecord) => number;
}

function createSlots(keeper: Keeper): Means["slotOf"] {
  const taken = new Set<number>();
  return ({ instance: { slot: former, database } }) => {
    const others = keeper.roster.all().filter(({ record }) => record.database !== database);
    for (const { record } of others) taken.add(record.slot);
    let slot = former;
    while (taken.has(slot)) slot++;
    taken.add(slot);
    return slot;
  };
}

const directoryOf = ({ directory }: Fleet, database: string) =>
  join(directory, "repository", database);

/** Keeps for good what was not: nothing more is written to it. */
async function keepTail(means: Means, { box, record }: Recovered): Promise<void> {
  const { fleet, retention } = means.options;
  const repository = repositoryOf(fleet, record.database, retention);
  await keepCopies(repository, box);
  const newest = listInside(box.place.box, "data", "pg_wal").filter(isSegment).toSorted().at(-1);
  if (newest === undefined) return;
  noteTimeline(join(repository.directory, "wal"), newest.slice(0, 8), new Date());
}

/** The end of the WAL that was replayed. */
async function endOf({ options: { fleet } }: Means, { box, record }: Recovered): Promise<string> {
  const session = platformSession(fleet, box.place, record.database);
  try {
    const text = "select pg_last_wal_replay_lsn()::text as lsn";
    const [row] = await session.query<{ lsn: string | null }>(text);
    return row?.lsn ?? "";
  } finally {
    await session.close();
  }
}

/** Has its repository laid out; one that was laid out before the interruption stays. */
async function layOutRepository(means: Means, instance: InstanceRecord): Promise<void> {
  const { options, s3, sealer, progress } = means;
  const { fleet, retention } = options;
  const { database, name, slot, size } = instance;
  const box = boxOf(fleet, name, slot, size);
  const directory = directoryOf(fleet, database);
  if (!progress.isFetched(database)) {
    await bringBack({ s3, sealer, database, directory, uid: box.uid });
    progress.fetched(database);
  }
  // It may have been another one's number that it had, the last time.
  await giveTo({ uid: box.uid }, join(directory, "data"));
  // An attempt that was interrupted may have noted a timeline that went with it.
  await bringBackTimeline({ s3, sealer, database, directory, uid: box.uid });
  await repositoryOf(fleet, database, retention).open(box);
}

/** Has it wait as it did: for its owner, for who logs in, or for nobody. */
async function settle({ keeper }: Means, { record }: StoredRecord, name: string): Promise<void> {
  if (record.state === "stopped") await keeper.stop(name);
  else if (record.spec.suspend_after_seconds > 0) await keeper.sleep(name);
}

/** Brings a database back as an instance, from its repository. */
async function bringUp(means: Means, stored: StoredRecord, of: InstanceRecord): Promise<Rebuilt> {
  const { options, keeper, files, owners } = means;
  const { fleet, retention } = options;
  const { database } = of;
  // What an interruption left of it serves nobody.
  const left = keeper.roster.all().filter(({ record }) => record.database === database);
  for (const { record } of left) await keeper.remove(record.name);
  const repository = repositoryOf(fleet, database, retention);
  const source = { number: 1 as const, repository, wal: join(repository.directory, "wal") };
  const target = { latest: true } as const;
  const recovered = await recover(fleet, [source], { of, name: of.name, target });
  await keeper.adopt(recovered);
  const lsn = await endOf(means, recovered);
  await keepTail(means, recovered);
  if (stored.owner !== null) owners.set(database, stored.owner);
  await keeper.lead(database, of.name);
  await settle(means, stored, of.name);
  // From here on it is a database of this host.
  files.databases.put(stored.record);
  const { reachedAt: lastCommitAt, backup } = recovered;
  const baseBackupEndedAt = new Date(backup.stoppedAt * 1000).toISOString();
  return { database, outcome: "recovered", lastCommitAt, baseBackupEndedAt, lsn, detail: null };
}

const nothingOf = { lastCommitAt: null, baseBackupEndedAt: null, lsn: null, detail: null };

async function rebuildOne(means: Means, database: string): Promise<Rebuilt> {
  const { s3, sealer } = means;
  const stored = await readStored(s3, sealer, database);
  if (stored === undefined) throw new Error("The store does not say what this database is.");
  const slot = means.slotOf(stored);
  // No instance of the machine that is gone had that name.
  const name = `${database}.${randomBytes(4).toString("hex")}`;
  const instance = { ...stored.instance, name, slot };
  await layOutRepository(means, instance);
  if (stored.removedAt === null) return bringUp(means, stored, instance);
  return { ...nothingOf, database, outcome: "kept" };
}

/** Rebuilds one, unless that was done; one that fails keeps nobody else's from coming back. */
async function attempt(means: Means, database: string): Promise<Rebuilt> {
  const { progress, files } = means;
  const before = progress.of(database);
  if (before?.outcome === "kept" || (before !== undefined && files.databases.has(database))) {
    return before;
  }
  const rebuilt = await rebuildOne(means, database).catch((error): Rebuilt => {
    return { ...nothingOf, database, outcome: "failed", detail: storeProblem(error) };
  });
  progress.note(rebuilt);
  return rebuilt;
}

/** @throws Error for a directory that has databases of its own */
function requireEmpty(directory: string, isBegun: boolean): void {
  const places = ["database", "record", "repository"].map((name) => join(directory, name));
  const isEmpty = places.every((path) => !existsSync(path) || readdirSync(path).length === 0);
  if (isBegun || isEmpty) return;
  throw new Error(`${directory} has databases already: a host is rebuilt in an empty directory.`);
}

/** What came of a rebuild. */
export interface HostRebuilt {
  readonly databases: readonly Rebuilt[];
  /** Why dumps are not back, by their ids. */
  readonly lostDumps: ReadonlyMap<string, unknown>;
}

/** Rebuilds all there is of it; with some that failed it can be begun again. */
async function rebuildAll(means: Means): Promise<HostRebuilt> {
  const { options, s3, sealer, keeper, progress } = means;
  const inTurn = createTurns(databasesAtOnce);
  const databases: Rebuilt[] = [];
  const one = async (database: string) => {
    const rebuilt = await attempt(means, database);
    databases.push(rebuilt);
    options.told(rebuilt);
  };
  const names = await s3.folders(databasesPrefix);
  await Promise.all(names.map((database) => inTurn(() => one(database))));
  const lostDumps = await bringBackDumps({ directory: options.dumps, s3, sealer });
  if (databases.every(({ outcome }) => outcome !== "failed") && lostDumps.size === 0) {
    progress.end();
  }
  keeper.close();
  return { databases, lostDumps };
}

/**
 * Rebuilds a host.
 * @throws Error when the store cannot be read, has no such host, or has one of another secret; or
 * when the directory has databases
 */
export async function rebuild(options: RebuildOptions): Promise<HostRebuilt> {
  const { fleet, hostId, s3: settings, identified } = options;
  const progress = openProgress(fleet.directory, hostId);
  requireEmpty(fleet.directory, progress.isBegun);
  const s3 = openS3({ ...settings, prefix: `${settings.prefix}/${hostId}` });
  const sealer = createSealer(fleet.secret);
  try {
    const host = await readHost(s3, sealer);
    if (host === undefined) throw new Error(`The store has no host ${hostId}.`);
    makePassable(fleet.directory);
    progress.begin();
    identified(host.identity);
    makePrivateDirectories(storeDirectory(fleet));
    await takeStore(s3, sealer, storeDirectory(fleet), host.identity);
    const keeper = await openKeeper(fleet, async () => async () => undefined);
    return await rebuildAll({
      ...{ options, s3, sealer, keeper, progress, slotOf: createSlots(keeper) },
      files: openDatabaseFiles(fleet.directory),
      owners: openOwners(storeDirectory(fleet)),
    });
  } finally {
    s3.close();
  }
}
