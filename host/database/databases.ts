// The databases of a host: each an instance behind a line of the poolers, with its WAL on the way
// out and a repository. What becomes of one touches no other.
import type { DatabaseSpec } from "../../src/contract/instance/spec.ts";
import { log, messageOf } from "../log.ts";
import { HostProblem } from "../problem.ts";
import { compact } from "./compact.ts";
import { makeDatabase, type NewDatabase, refuseOther } from "./make.ts";
import type { DatabaseMeans } from "./means.ts";
import { removeWhole } from "./remove.ts";
import { restartDatabase, startDatabase, stopDatabase } from "./run.ts";
import { settle } from "./settle.ts";

/** What can be done with the databases of a host. Each may be done twice. */
export interface Databases {
  /** Makes one: its URL answers when this resolves. One that is there is given the spec. */
  create(database: string, spec: DatabaseSpec): Promise<void>;
  /** Gives one its whole spec; it is in force when this resolves. */
  configure(database: string, spec: DatabaseSpec): Promise<void>;
  /** Makes a writable copy as a database of its own. */
  branch(source: string, database: string, spec: DatabaseSpec): Promise<void>;
  /** Ends its clients and its Postgres, and refuses new ones until it is started. */
  stop(database: string): Promise<void>;
  start(database: string): Promise<void>;
  /** Clients of the transaction port wait meanwhile. */
  restart(database: string): Promise<void>;
  /** Gives disk back that tables no longer need. */
  compact(database: string): Promise<void>;
  /** Removes one with its instances and previews; its repository stays. */
  remove(database: string): Promise<void>;
}

/** Follows each that is there; one that is odd keeps nobody else's from being served. */
function followAll({ keeper, files, safe }: DatabaseMeans): void {
  for (const { database, stage } of files.databases.all()) {
    if (stage !== undefined) continue;
    try {
      safe.follow(database, keeper.live(database).record.name);
    } catch (error) {
      log("error", `${database} is not followed: ${messageOf(error)}`);
    }
  }
}

/** @throws HostProblem 404 when there is no such database, or only a part of it */
export function requireWhole({ files }: Pick<DatabaseMeans, "files">, database: string): void {
  if (files.databases.get(database).stage === undefined) return;
  throw new HostProblem(404, "unknown_database", `${database} is not whole: make or remove it.`);
}

/** Makes a copy in the lanes of both: its source stays as it is meanwhile. */
async function branch(means: DatabaseMeans, source: string, wanted: NewDatabase): Promise<void> {
  const { lane } = means;
  await lane(source, async () => {
    requireWhole(means, source);
    // Nobody waits in the lane of another database for one in this lane.
    refuseOther(means, wanted);
    await lane(wanted.database, async () => {
      refuseOther(means, wanted);
      await makeDatabase(means, wanted);
    });
  });
}

/** Opens the databases of a host, and follows them. */
export function openDatabases(means: DatabaseMeans): Databases {
  const { lane, files } = means;
  followAll(means);
  /** Does something to a database that is whole, while nothing else is done to it. */
  const inLane = (database: string, work: (database: string) => Promise<void>) =>
    lane(database, async () => {
      requireWhole(means, database);
      await work(database);
    });
  return {
    create: (database, spec) =>
      lane(database, async () => {
        await makeDatabase(means, { database, spec });
      }),
    configure: (database, spec) =>
      inLane(database, async () => {
        files.databases.put({ ...files.databases.get(database), spec });
        await settle(means, database);
      }),
    branch: (source, database, spec) => branch(means, source, { database, spec, source }),
    stop: (database) => inLane(database, () => stopDatabase(means, database)),
    start: (database) => inLane(database, () => startDatabase(means, database)),
    restart: (database) => inLane(database, () => restartDatabase(means, database)),
    compact: (database) => inLane(database, () => compact(means, database)),
    remove: (database) => lane(database, () => removeWhole(means, database)),
  };
}
