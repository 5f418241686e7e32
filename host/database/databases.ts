// The databases of a host: each an instance behind a line of the poolers, with its WAL on the way
// out and a repository. What becomes of one touches no other.
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import {
  type BackupType,
  type Repository,
  type Retention,
  repositoryOf,
} from "../base-backup/repository.ts";
import { cloneInstance } from "../instance/clone.ts";
import type { Fleet } from "../instance/fleet.ts";
import { listInside } from "../instance/inside.ts";
import type { Keeper } from "../instance/keeper.ts";
import type { Names } from "../instance/personalize.ts";
import type { InstanceState } from "../instance/roster.ts";
import type { InstanceSize } from "../instance/size.ts";
import { createLanes } from "../lane.ts";
import { log, messageOf } from "../log.ts";
import type { Pair } from "../pooler/pair.ts";
import { startForked } from "../recovery/fork.ts";
import { type Recovered, type RecoveryTarget, recover } from "../recovery/recover.ts";
import { isSegment } from "../wal/segment.ts";
import { noteTimeline } from "../wal/timeline.ts";
import { type Wal, walDirectory } from "../wal/wal.ts";
import type { DatabaseFile, DatabaseRecord } from "./record.ts";

/** What the databases of a host are made of. */
export interface DatabaseParts {
  readonly fleet: Fleet;
  readonly keeper: Keeper;
  readonly pair: Pair;
  readonly wal: Wal;
  readonly file: DatabaseFile;
  readonly retention: Retention;
}

/** What can be done with the databases of a host. */
export interface Databases {
  /** Makes one: its URL answers when this resolves. */
  create(wanted: DatabaseRecord, size: InstanceSize): Promise<void>;
  backUp(database: string, type: BackupType): Promise<void>;
  /** Shows a database as it was, read-only, under a name of its own. */
  preview(database: string, target: RecoveryTarget, line: DatabaseRecord): Promise<Recovered>;
  /**
   * Brings a database back to a moment; clients wait while it is exchanged.
   * @returns the name of the instance it was before, which is kept, stopped
   */
  restore(database: string, target: RecoveryTarget): Promise<string>;
  /** Puts an instance of the same database in its place, and keeps the one it was. */
  bringBack(database: string, instance: string): Promise<string>;
  /** Makes a writable copy as a database of its own. */
  branch(database: string, wanted: DatabaseRecord): Promise<void>;
  /** Removes one with its instances; its repository stays. */
  remove(database: string): Promise<void>;
}

/** A name no instance of the host has had. */
function instanceName(database: string): string {
  return `${database}.${randomBytes(4).toString("hex")}`;
}

function namesOf({ database, users: [owner] }: DatabaseRecord): Names {
  return { database, login: owner?.name ?? "", verifier: owner?.verifier ?? "" };
}

/** Binds repositories and WAL to what the keeper has. */
function createSafe({ fleet, keeper, wal, retention }: DatabaseParts) {
  const repositories = new Map<string, Repository>();

  function repository(database: string): Repository {
    const known = repositories.get(database) ?? repositoryOf(fleet, database, retention);
    repositories.set(database, known);
    return known;
  }

  /** Takes the WAL of an instance from now on; nobody waits for its repository to be made. */
  function follow(database: string, name: string): void {
    const box = keeper.roster.box(name);
    const server = () => (keeper.roster.has(name) ? keeper.roster.get(name).server : undefined);
    wal.follow({ database, box, repository: repository(database), server });
  }

  /** Notes the timeline an instance writes to, from now on. */
  function noteTimelineOf(database: string, name: string): void {
    const { place } = keeper.roster.box(name);
    const newest = listInside(place.box, "data", "pg_wal").filter(isSegment).toSorted().at(-1);
    const directory = walDirectory(repository(database));
    mkdirSync(directory, { recursive: true, mode: 0o711 });
    if (newest !== undefined) noteTimeline(directory, newest.slice(0, 8), new Date());
  }

  return { repository, follow, noteTimelineOf };
}

/** Postgres' words for a target that none of its WAL reaches. */
const isBeyond = "recovery ended before configured recovery target was reached";

/** Recoveries of a database, up to what it has written by now. */
function createRecover(parts: DatabaseParts, safe: ReturnType<typeof createSafe>) {
  const { fleet, keeper, wal } = parts;
  return async (database: string, target: RecoveryTarget, then: "pause" | "promote") => {
    await wal.takeNow(database);
    const repository = safe.repository(database);
    const of = keeper.live(database).record;
    const source = { repository, wal: walDirectory(repository) };
    const to = (wanted: RecoveryTarget) =>
      recover(fleet, source, { of, name: instanceName(database), target: wanted, then });
    // Nothing was committed after a moment that is later than all there is.
    const recovered = await to(target).catch((error) => {
      if (!messageOf(error).includes(isBeyond)) throw error;
      return to({ latest: true });
    });
    await keeper.adopt(recovered);
    return recovered;
  };
}

/** What verbs share. */
interface Means extends DatabaseParts {
  readonly safe: ReturnType<typeof createSafe>;
  readonly publish: (record: DatabaseRecord) => Promise<void>;
}

/** Those that bring the past back. */
function pastVerbs(means: Means): Pick<Databases, "preview" | "restore" | "bringBack"> {
  const { fleet, keeper, safe, publish } = means;
  const recoverTo = createRecover(means, safe);

  /** Has another instance serve a database. @returns the one that did, which is stopped */
  async function exchange(database: string, instance: string): Promise<string> {
    const former = keeper.live(database).record.name;
    await keeper.replace(database, instance, () => safe.noteTimelineOf(database, instance));
    safe.follow(database, instance);
    return former;
  }

  /** @throws Error when an instance is not one that was put aside for this database */
  function requireAside(database: string, instance: string): InstanceState {
    const state = keeper.roster.get(instance);
    if (state.record.database === database && state.server === undefined) return state;
    throw new Error(`${instance} is no instance of ${database} that was put aside.`);
  }

  return {
    async preview(database, target, line) {
      const recovered = await recoverTo(database, target, "pause");
      await keeper.lead(line.database, recovered.record.name);
      await publish({ ...line, inside: recovered.record.database });
      return recovered;
    },
    async restore(database, target) {
      const recovered = await recoverTo(database, target, "promote");
      return exchange(database, recovered.record.name);
    },
    async bringBack(database, instance) {
      const { record } = requireAside(database, instance);
      const box = keeper.roster.box(instance);
      const copies = walDirectory(safe.repository(database));
      await keeper.adopt({ record, server: await startForked(fleet, box, record, copies) });
      return exchange(database, instance);
    },
  };
}

/** Makes a writable copy as a database of its own. */
function createBranch({ fleet, keeper, safe, publish }: Means): Databases["branch"] {
  return async (database, wanted) => {
    const { record } = keeper.live(database);
    await keeper.start(record.name);
    const made = await keeper.withSlot((slot) =>
      cloneInstance(fleet, record, { name: wanted.database, slot, names: namesOf(wanted) }),
    );
    await keeper.adopt(made);
    await keeper.lead(wanted.database, made.record.name);
    safe.noteTimelineOf(wanted.database, made.record.name);
    safe.follow(wanted.database, made.record.name);
    await publish(wanted);
  };
}

/** Has each verb of a database wait for the one before: they exchange what it lives in. */
function inLanes(verbs: Databases, isTaken: (database: string) => boolean): Databases {
  const lane = createLanes();
  const refuseTaken = (database: string) => {
    if (isTaken(database)) throw new Error(`There is a database ${database} already.`);
  };
  return {
    create: (wanted, size) => lane(wanted.database, () => verbs.create(wanted, size)),
    backUp: (database, type) => lane(database, () => verbs.backUp(database, type)),
    preview: (database, target, line) =>
      lane(database, () => verbs.preview(database, target, line)),
    restore: (database, target) => lane(database, () => verbs.restore(database, target)),
    bringBack: (database, instance) => lane(database, () => verbs.bringBack(database, instance)),
    branch: (database, wanted) =>
      lane(database, async () => {
        // Nobody waits in the lane of a name that is not taken for one in this lane.
        refuseTaken(wanted.database);
        await lane(wanted.database, async () => {
          refuseTaken(wanted.database);
          await verbs.branch(database, wanted);
        });
      }),
    remove: (database) => lane(database, () => verbs.remove(database)),
  };
}

/** Follows each that is there; one that is odd keeps nobody else's from being served. */
function followAll({ keeper, file, safe }: Means): void {
  for (const { database, inside } of file.all().filter((record) => record.inside === undefined)) {
    try {
      safe.follow(inside ?? database, keeper.live(database).record.name);
    } catch (error) {
      log("error", `${database} is not followed: ${messageOf(error)}`);
    }
  }
}

/** Ends what is led to by a line, and forgets it. */
async function removeLine({ keeper, file, pair }: Means, line: string): Promise<void> {
  const { name } = keeper.live(line).record;
  file.remove(line);
  await pair.apply();
  await keeper.remove(name);
}

/** Opens the databases of a host, and follows them. */
export function openDatabases(parts: DatabaseParts): Databases {
  const { keeper, pair, wal, file } = parts;
  const safe = createSafe(parts);
  const publish = async (record: DatabaseRecord) => {
    file.put(record);
    await pair.apply();
  };
  const means: Means = { ...parts, safe, publish };
  followAll(means);
  const verbs: Databases = {
    ...pastVerbs(means),
    branch: createBranch(means),
    async create(wanted, size) {
      const { database } = wanted;
      await keeper.make({ name: database, size, ...namesOf(wanted) });
      safe.noteTimelineOf(database, database);
      safe.follow(database, database);
      await publish(wanted);
    },
    async backUp(database, type) {
      const { record } = keeper.live(database);
      await keeper.start(record.name);
      await wal.takeNow(database);
      const [box, repository] = [keeper.roster.box(record.name), safe.repository(database)];
      await repository.backUp(box, type);
      await wal.takeNow(database);
      // A restore to a moment since reads what is at hand.
      const newest = (await repository.list(box)).at(-1);
      if (newest !== undefined) wal.prune(database, newest.firstWal);
    },
    async remove(database) {
      if (file.get(database).inside !== undefined) return removeLine(means, database);
      await wal.leave(database);
      const previews = file.all().filter(({ inside }) => inside === database);
      for (const { database: line } of previews) file.remove(line);
      file.remove(database);
      await pair.apply();
      const own = keeper.roster.all().filter(({ record }) => record.database === database);
      for (const { record } of own) await keeper.remove(record.name);
    },
  };
  return inLanes(verbs, (database) => file.has(database) || keeper.roster.has(database));
}
