// The WAL of all databases of a host on its way out, each by a shipper of its own. Who writes is
// looked at often; who does not, twice a second.
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Running } from "../base/running.ts";
import type { Repository } from "../base-backup/repository.ts";
import type { Box } from "../instance/box.ts";
import type { Fleet } from "../instance/fleet.ts";
import { platformSession, walSlot } from "../instance/session.ts";
import { log, messageOf } from "../log.ts";
import { endLsnOf } from "./segment.ts";
import { createShipper, type Shipper } from "./shipper.ts";

const busyMilliseconds = 50;
const idleMilliseconds = 500;

/** A database whose WAL is taken. */
export interface WalSource {
  readonly database: string;
  readonly box: Box;
  readonly repository: Repository;
  /** Its Postgres; undefined while none runs. */
  readonly server: () => Running | undefined;
}

/** Takes the WAL of many. */
export interface Wal {
  /**
   * Takes the WAL of an instance from now on, whether it runs or not. All of the instance that was
   * followed for the same database is kept before, as nothing more is written to it.
   */
  follow(source: WalSource): void;
  /** Takes none of it any more. */
  leave(database: string): Promise<void>;
  /** Takes what a database has written by now. @throws Error when it could not be taken */
  takeNow(database: string): Promise<void>;
  /** Removes copies that the repository has, and that are older than a segment. */
  prune(database: string, oldest: string): void;
  close(): Promise<void>;
}

/** Where the copies of a database's segments are. */
export function walDirectory({ directory }: Pick<Repository, "directory">): string {
  return join(directory, "wal");
}

const currentSegment = `
  select case when pg_is_in_recovery() then null
    else pg_walfile_name(pg_current_wal_flush_lsn()) end as segment`;

/** What is asked of a Postgres that may be stopped at any time. */
function createQuestions(fleet: Fleet, { database, box, server }: WalSource) {
  async function ask<Row extends Record<string, unknown>>(text: string): Promise<Row | undefined> {
    if (server() === undefined) return undefined;
    const session = platformSession(fleet, box.place, database);
    try {
      return (await session.query<Row>(text))[0];
    } catch (error) {
      if (server() === undefined) return undefined;
      throw error;
    } finally {
      await session.close();
    }
  }

  return {
    current: async () => (await ask<{ segment: string | null }>(currentSegment))?.segment ?? null,
    /** One that is stopped lets go of it another time. */
    release: async (segment: string) => {
      await ask(`select pg_replication_slot_advance('${walSlot}', '${endLsnOf(segment)}')`);
    },
    incarnation: () => {
      const running = server();
      return running === undefined ? "" : `${running.pid}/${running.startedTicks}`;
    },
  };
}

/** One database that is followed. */
interface Following {
  readonly shipper: Shipper;
  /** What has to be done before anything is taken; tried until it was. */
  readonly prepare: () => Promise<void>;
  isPrepared: boolean;
  readonly ending: AbortController;
  /** What is being taken; one at a time. */
  last: Promise<unknown>;
  /** Called when something was taken. */
  readonly told: () => void;
}

/** Takes what was written, after what is being taken already, into a repository that is there. */
function take(following: Following, isSure: boolean): Promise<boolean> {
  const taken = following.last.then(async () => {
    if (!following.isPrepared) await following.prepare();
    following.isPrepared = true;
    const hasTaken = await following.shipper.take(isSure);
    if (hasTaken) following.told();
    return hasTaken;
  });
  following.last = taken.catch(() => undefined);
  return taken;
}

/** Takes it again and again until that is ended; a failure is told once, until it works again. */
async function run(database: string, following: Following): Promise<void> {
  const { signal } = following.ending;
  let isFailing = false;
  while (!signal.aborted) {
    let isBusy = false;
    try {
      isBusy = await take(following, false);
      isFailing = false;
    } catch (error) {
      if (!isFailing) log("error", `WAL of ${database} is not taken: ${messageOf(error)}`);
      isFailing = true;
    }
    const pause = isBusy ? busyMilliseconds : idleMilliseconds;
    await delay(pause, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/** Makes it; nothing is followed yet. `told` is called with each database that was taken of. */
export function createWal(fleet: Fleet, told: (database: string) => void = () => undefined): Wal {
  const all = new Map<string, Following>();

  async function leave(database: string): Promise<void> {
    const following = all.get(database);
    all.delete(database);
    following?.ending.abort();
    await following?.last;
  }

  function followingOf(source: WalSource, former: Following | undefined): Following {
    const { box, repository } = source;
    const questions = createQuestions(fleet, source);
    const shipper = createShipper({
      ...{ box, directory: walDirectory(repository), ...questions },
      keep: (segment) => repository.keep(box, segment),
    });
    const prepare = async () => {
      await repository.open(box);
      if (former?.isPrepared === false) await former.prepare();
      await former?.shipper.finish();
    };
    const last = former?.last ?? Promise.resolve();
    return {
      ...{ shipper, prepare, isPrepared: false, ending: new AbortController(), last },
      told: () => told(source.database),
    };
  }

  return {
    follow(source) {
      const former = all.get(source.database);
      former?.ending.abort();
      const following = followingOf(source, former);
      all.set(source.database, following);
      void run(source.database, following);
    },
    leave,
    async takeNow(database) {
      const following = all.get(database);
      if (following === undefined) throw new Error(`The WAL of ${database} is not followed.`);
      await take(following, true);
    },
    prune: (database, oldest) => all.get(database)?.shipper.prune(oldest),
    close: async () => {
      await Promise.all([...all.keys()].map(leave));
    },
  };
}
