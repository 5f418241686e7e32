// The WAL of all databases of a host on its way out, each by a shipper of its own. Who writes is
// looked at often; who does not, twice a second.
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Running } from "../base/running.ts";
import type { Repository } from "../base-backup/repository.ts";
import type { Box } from "../instance/box.ts";
import type { Fleet } from "../instance/fleet.ts";
import { wasShutDown } from "../instance/identity.ts";
import { platformSession, walSlot } from "../instance/session.ts";
import { log, messageOf } from "../log.ts";
import { endLsnOf, lsnIn } from "./segment.ts";
import { createShipper, lastBegun, type Shipper } from "./shipper.ts";

const busyMilliseconds = 50;
const idleMilliseconds = 500;

/** A database whose WAL is taken. */
export interface WalSource {
  readonly database: string;
  readonly box: Box;
  readonly repository: Repository;
  /** Its Postgres; undefined while none runs. */
  readonly server: () => Running | undefined;
  /** The last process that was started for it, whether it runs still or not: that costs no look. */
  readonly lastServer: () => Running | undefined;
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
  /** Keeps all of a database whose Postgres was stopped, and takes none of it any more. */
  finish(database: string): Promise<void>;
  /** Takes what a database has written by now. @throws Error when it could not be taken */
  takeNow(database: string): Promise<void>;
  /** The same, and has it on disk before it resolves. */
  secureNow(database: string): Promise<void>;
  /** How far WAL was taken: the address of the first byte that was not; null before it was. */
  position(database: string): bigint | null;
  /** Since when WAL of a database does not get where it should, and why; null when it does. */
  failureOf(database: string): WalFailure | null;
  /** Removes copies that the repository has, and that are older than a segment. */
  prune(database: string, oldest: string): void;
  close(): Promise<void>;
}

/** Why WAL is late. */
export interface WalFailure {
  readonly since: Date;
  readonly problem: string;
}

/** Where the copies of a database's segments are. */
export function walDirectory({ directory }: Pick<Repository, "directory">): string {
  return join(directory, "wal");
}

const currentSegment = `
  select case when pg_is_in_recovery() then null
    else pg_walfile_name(pg_current_wal_flush_lsn()) end as segment`;

/** One that is just being stopped, or started, is asked another time. */
function isGoingAway(error: unknown): boolean {
  const { code } = error as { readonly code?: string };
  return ["57P01", "57P03", "ECONNREFUSED", "ECONNRESET", "EPIPE", "ENOENT"].includes(code ?? "");
}

/** What is asked of a Postgres that may be stopped at any time. */
function createQuestions(fleet: Fleet, { database, box, server, lastServer }: WalSource) {
  async function ask<Row extends Record<string, unknown>>(text: string): Promise<Row | undefined> {
    if (server() === undefined) return undefined;
    const session = platformSession(fleet, box.place, database);
    try {
      return (await session.query<Row>(text))[0];
    } catch (error) {
      if (server() === undefined || isGoingAway(error)) return undefined;
      throw error;
    } finally {
      await session.close();
    }
  }

  return {
    async current() {
      const said = await ask<{ segment: string | null }>(currentSegment);
      // What was written before a stop is looked for once more, when nobody answers any more.
      if (said === undefined && wasShutDown(box.place.box)) return lastBegun(box);
      return said?.segment ?? null;
    },
    /** One that is stopped lets go of it another time. */
    release: async (segment: string) => {
      await ask(`select pg_replication_slot_advance('${walSlot}', '${endLsnOf(segment)}')`);
    },
    incarnation: () => {
      const running = lastServer();
      return running === undefined ? "" : `${running.pid}/${running.startedTicks}`;
    },
  };
}

/** What is tried again and again, and how that went. */
interface Trial {
  failure: WalFailure | null;
}

/** Notes how a try went; a failure is told once, until it works again. True when it went well. */
async function tryOn(trial: Trial, what: string, work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    trial.failure = null;
    return true;
  } catch (error) {
    const problem = messageOf(error);
    if (trial.failure === null) log("error", `${what}: ${problem}`);
    trial.failure = { since: trial.failure?.since ?? new Date(), problem };
    return false;
  }
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
  /** Called when something was taken, or kept. */
  readonly told: () => void;
  /** What is being kept; one at a time. */
  keeping: Promise<unknown> | undefined;
  readonly taken: Trial;
  readonly kept: Trial;
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

/** Keeps what is finished, unless that goes on already. */
function keepOn(database: string, following: Following): void {
  const { shipper, ending, kept, told } = following;
  following.keeping ??= tryOn(kept, `Segments of ${database} are not kept`, async () => {
    while (!ending.signal.aborted && (await shipper.keepNext())) told();
  }).finally(() => {
    following.keeping = undefined;
  });
}

/** Takes it again and again until that is ended. */
async function run(database: string, following: Following): Promise<void> {
  const { signal } = following.ending;
  while (!signal.aborted) {
    let isBusy = false;
    await tryOn(following.taken, `WAL of ${database} is not taken`, async () => {
      isBusy = await take(following, false);
    });
    if (!signal.aborted && following.isPrepared) keepOn(database, following);
    const pause = isBusy ? busyMilliseconds : idleMilliseconds;
    await delay(pause, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/** Makes the following of a source, which goes on where a former one ended. */
function followingOf(
  fleet: Fleet,
  source: WalSource,
  former: Following | undefined,
  told: (database: string) => void,
): Following {
  const { box, repository } = source;
  const questions = createQuestions(fleet, source);
  const shipper = createShipper({
    ...{ box, directory: walDirectory(repository), ...questions },
    keep: (segment) => repository.keep(box, segment),
  });
  const prepare = async () => {
    await repository.open(box);
    if (former?.isPrepared === false) await former.prepare();
    await former?.keeping;
    await former?.shipper.finish();
  };
  return {
    ...{ shipper, prepare, isPrepared: false, ending: new AbortController() },
    last: former?.last ?? Promise.resolve(),
    told: () => told(source.database),
    ...{ keeping: undefined, taken: { failure: null }, kept: { failure: null } },
  };
}

/** Makes it; nothing is followed yet. `told` is called when something was taken, or kept. */
export function createWal(fleet: Fleet, told: (database: string) => void = () => undefined): Wal {
  const all = new Map<string, Following>();

  function get(database: string): Following {
    const following = all.get(database);
    if (following === undefined) throw new Error(`The WAL of ${database} is not followed.`);
    return following;
  }

  async function leave(database: string): Promise<void> {
    const following = all.get(database);
    all.delete(database);
    following?.ending.abort();
    await following?.last;
    await following?.keeping;
  }

  const takeNow = async (database: string) => void (await take(get(database), true));

  return {
    follow(source) {
      const former = all.get(source.database);
      former?.ending.abort();
      const following = followingOf(fleet, source, former, told);
      all.set(source.database, following);
      void run(source.database, following);
    },
    leave,
    takeNow,
    async finish(database) {
      await takeNow(database);
      const { shipper } = get(database);
      await leave(database);
      await shipper.finish();
    },
    async secureNow(database) {
      await takeNow(database);
      get(database).shipper.sync();
    },
    position(database) {
      const at = all.get(database)?.shipper.position();
      return at === undefined || at === null ? null : lsnIn(at.segment, at.bytes);
    },
    failureOf: (database) =>
      all.get(database)?.taken.failure ?? all.get(database)?.kept.failure ?? null,
    prune: (database, oldest) => all.get(database)?.shipper.prune(oldest),
    close: async () => {
      await Promise.all([...all.keys()].map(leave));
    },
  };
}
