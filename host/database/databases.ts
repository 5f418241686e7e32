// The databases of a host: each an instance behind a line of the poolers, with its WAL on the way
// out and a repository. What becomes of one touches no other.
import type { DatabaseSpec } from "../../src/contract/instance/spec.ts";
import type { BackupType } from "../base-backup/repository.ts";
import { cloneInstance } from "../instance/clone.ts";
import type { Names } from "../instance/personalize.ts";
import { log, messageOf } from "../log.ts";
import type { DatabaseMeans } from "./means.ts";
import { sizeOf } from "./spec.ts";

/** What can be done with the databases of a host. */
export interface Databases {
  /** Makes one: its URL answers when this resolves. */
  create(database: string, spec: DatabaseSpec): Promise<void>;
  backUp(database: string, type: BackupType): Promise<void>;
  /** Makes a writable copy as a database of its own. */
  branch(source: string, database: string, spec: DatabaseSpec): Promise<void>;
  /** Removes one with its instances and previews; its repository stays. */
  remove(database: string): Promise<void>;
  /** Ends a preview. */
  removePreview(line: string): Promise<void>;
}

function namesOf(database: string, { logins: [owner] }: DatabaseSpec): Names {
  return { database, login: owner?.name ?? "", verifier: owner?.verifier ?? "" };
}

/** Has the poolers serve a database that was made. */
async function publish({ files, pair }: DatabaseMeans, database: string, spec: DatabaseSpec) {
  const createdAt = new Date().toISOString();
  files.databases.put({ database, spec, state: "running", createdAt });
  await pair.apply();
}

/** Makes a writable copy as a database of its own. */
function createBranch(means: DatabaseMeans): Databases["branch"] {
  const { fleet, keeper, safe } = means;
  return async (source, database, spec) => {
    const { record } = keeper.live(source);
    await keeper.start(record.name);
    const names = namesOf(database, spec);
    const made = await keeper.withSlot((slot) =>
      cloneInstance(fleet, record, { name: database, slot, names }),
    );
    await keeper.adopt(made);
    await keeper.lead(database, made.record.name);
    safe.noteTimelineOf(database, made.record.name);
    safe.follow(database, made.record.name);
    await publish(means, database, spec);
  };
}

/** Has each verb of a database wait for the one before. */
function inLanes({ lane, files, keeper }: DatabaseMeans, verbs: Databases): Databases {
  const refuseTaken = (database: string) => {
    if (!files.databases.has(database) && !keeper.roster.has(database)) return;
    throw new Error(`There is a database ${database} already.`);
  };
  return {
    create: (database, spec) => lane(database, () => verbs.create(database, spec)),
    backUp: (database, type) => lane(database, () => verbs.backUp(database, type)),
    branch: (source, database, spec) =>
      lane(source, async () => {
        // Nobody waits in the lane of a name that is not taken for one in this lane.
        refuseTaken(database);
        await lane(database, async () => {
          refuseTaken(database);
          await verbs.branch(source, database, spec);
        });
      }),
    remove: (database) => lane(database, () => verbs.remove(database)),
    removePreview: (line) => lane(line, () => verbs.removePreview(line)),
  };
}

/** Follows each that is there; one that is odd keeps nobody else's from being served. */
function followAll({ keeper, files, safe }: DatabaseMeans): void {
  for (const { database } of files.databases.all()) {
    try {
      safe.follow(database, keeper.live(database).record.name);
    } catch (error) {
      log("error", `${database} is not followed: ${messageOf(error)}`);
    }
  }
}

/** Takes a base backup. */
async function backUp({ keeper, wal, safe }: DatabaseMeans, database: string, type: BackupType) {
  const { record } = keeper.live(database);
  await keeper.start(record.name);
  await wal.takeNow(database);
  const [box, repository] = [keeper.roster.box(record.name), safe.repository(database)];
  await repository.backUp(box, type);
  await wal.takeNow(database);
  // A restore to a moment since reads what is at hand.
  const newest = (await repository.list(box)).at(-1);
  if (newest !== undefined) {
    wal.prune(database, newest.firstWal);
    await safe.laidOuts(database).make(record, newest);
    await wal.takeNow(database);
  }
}

/** Opens the databases of a host, and follows them. */
export function openDatabases(means: DatabaseMeans): Databases {
  const { keeper, pair, wal, files, safe } = means;
  followAll(means);
  return inLanes(means, {
    branch: createBranch(means),
    async create(database, spec) {
      await keeper.make({ name: database, size: sizeOf(spec), ...namesOf(database, spec) });
      safe.noteTimelineOf(database, database);
      safe.follow(database, database);
      await publish(means, database, spec);
    },
    backUp: (database, type) => backUp(means, database, type),
    async remove(database) {
      await wal.leave(database);
      const previews = files.previews.all().filter((one) => one.database === database);
      for (const { line } of previews) files.previews.remove(line);
      files.databases.remove(database);
      await pair.apply();
      const own = keeper.roster.all().filter(({ record }) => record.database === database);
      for (const { record } of own) await keeper.remove(record.name);
    },
    async removePreview(line) {
      const { instance } = files.previews.get(line);
      files.previews.remove(line);
      await pair.apply();
      await keeper.remove(instance);
    },
  });
}
