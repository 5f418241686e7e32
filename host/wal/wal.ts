// The WAL of all databases of a host on its way out, each by a shipper of its own. Who writes is
// looked at often; who does not, twice a second.
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
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
}

/** Takes the WAL of many. */
export interface Wal {
  /** Takes the WAL of an instance from now on, in place of the one of the same database before. */
  follow(source: WalSource): void;
  /** Takes none of it any more. */
  leave(database: string): Promise<void>;
  /** Keeps all of a stopped instance's WAL, as another one of its database goes on. */
  finish(database: string): Promise<void>;
  /** Takes what a database has written by now. */
  takeNow(database: string): Promise<void>;
  close(): Promise<void>;
}

/** Where the copies of a database's segments are. */
export function walDirectory({ directory }: Pick<Repository, "directory">): string {
  return join(directory, "wal");
}

/** Lets Postgres remove what was kept; one that was stopped meanwhile does so another time. */
async function release(fleet: Fleet, { database, box }: WalSource, segment: string) {
  const session = platformSession(fleet, box.place, database, "postgres");
  const text = `select pg_replication_slot_advance('${walSlot}', '${endLsnOf(segment)}')`;
  await session.query(text).catch((error) => {
    log("info", `WAL of ${database} is let go of later: ${messageOf(error)}`);
  });
  await session.close();
}

/** One database that is followed. */
interface Following {
  readonly shipper: Shipper;
  readonly open: () => Promise<void>;
  isOpen: boolean;
  readonly ending: AbortController;
  /** What is being taken; one at a time. */
  last: Promise<unknown>;
}

/** Takes what was written, after what is being taken already, into a repository that is there. */
function take(following: Following): Promise<boolean> {
  const taken = following.last.then(async () => {
    if (!following.isOpen) await following.open();
    following.isOpen = true;
    return following.shipper.take();
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
      isBusy = await take(following);
      isFailing = false;
    } catch (error) {
      if (!isFailing) log("error", `WAL of ${database} is not taken: ${messageOf(error)}`);
      isFailing = true;
    }
    const pause = isBusy ? busyMilliseconds : idleMilliseconds;
    await delay(pause, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/** Makes it; nothing is followed yet. */
export function createWal(fleet: Fleet): Wal {
  const all = new Map<string, Following>();

  async function leave(database: string): Promise<void> {
    const following = all.get(database);
    all.delete(database);
    following?.ending.abort();
    await following?.last;
  }

  return {
    follow(source) {
      const { database, box, repository } = source;
      const before = all.get(database);
      before?.ending.abort();
      const shipper = createShipper({
        box,
        directory: walDirectory(repository),
        keep: (segment) => repository.keep(box, segment),
        release: (segment) => release(fleet, source, segment),
      });
      const last = before?.last ?? Promise.resolve();
      const open = () => repository.open(box);
      const following = { shipper, open, isOpen: false, ending: new AbortController(), last };
      all.set(database, following);
      void run(database, following);
    },
    leave,
    async finish(database) {
      const following = all.get(database);
      following?.ending.abort();
      await following?.last;
      await following?.shipper.finish();
    },
    async takeNow(database) {
      const following = all.get(database);
      if (following !== undefined) await take(following);
    },
    close: async () => {
      await Promise.all([...all.keys()].map(leave));
    },
  };
}
