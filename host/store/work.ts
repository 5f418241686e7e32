// What is done for one database in a round: its WAL, and what it is; or its base backups.
import { join } from "node:path";
import { makePrivateDirectories } from "../base/file.ts";
import type { DatabaseFiles, DatabaseRecord } from "../database/record.ts";
import type { Fleet } from "../instance/fleet.ts";
import { readInside } from "../instance/inside.ts";
import type { Keeper } from "../instance/keeper.ts";
import type { InstanceRecord } from "../instance/record.ts";
import { type Retention, repositoryKey, repositoryOf } from "../repository/repository.ts";
import { type AskBackups, sendBackups } from "./backups.ts";
import { createClaim } from "./claim.ts";
import { type Copying, readStore } from "./copying.ts";
import { databasePrefix } from "./key.ts";
import { openLedgers } from "./ledger.ts";
import { openOwners, type StoredRecord, sendRecord, sendRemoval } from "./record.ts";
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
  /** Where dumps are kept. */
  readonly dumps: string;
}

/** The store itself is read that often. */
const readMilliseconds = 24 * 3600_000;

type Place = Pick<Fleet, "directory">;

/** Where the store's own notes are on this machine. */
export const storeDirectory = ({ directory }: Place) => join(directory, "store");

/** Holds a directory for each database. */
export const repositoriesIn = ({ directory }: Place) => join(directory, "repository");

/** What the work is done with. */
export function openParts({ fleet, s3: settings, hostId, identity }: StoreOptions) {
  const directory = storeDirectory(fleet);
  makePrivateDirectories(directory);
  const s3 = openS3({ ...settings, prefix: `${settings.prefix}/${hostId}` });
  const sealer = createSealer(fleet.secret);
  const owners = openOwners(directory);
  const ledgers = openLedgers(directory);
  return { s3, sealer, owners, ledgers, claim: createClaim(s3, sealer, directory, identity) };
}
export type StoreParts = ReturnType<typeof openParts>;

/** The instance a database lives in; undefined when it is none of this host's. */
export function instanceOf(
  { keeper }: Pick<StoreOptions, "keeper">,
  database: string,
): InstanceRecord | undefined {
  try {
    return keeper.live(database).record;
  } catch {
    return undefined;
  }
}

/** What is known of a database since this program started. */
interface Known extends TailState {
  /** As the list of its base backups was when the store had all of them. */
  listed: string | undefined;
  isRemoved: boolean;
}

function createKnown() {
  const known = new Map<string, Known>();
  return {
    of(database: string): Known {
      const fresh = { looks: new Map(), archived: undefined, listed: undefined, isRemoved: false };
      const found = known.get(database) ?? fresh;
      known.set(database, found);
      return found;
    },
    forget: (database: string) => void known.delete(database),
  };
}

/** Finds out what pgBackRest has of a database. */
function createAsk({ fleet, keeper, retention }: StoreOptions) {
  return (database: string): AskBackups => {
    return async () => {
      const instance = instanceOf({ keeper }, database);
      if (instance === undefined) return undefined;
      return repositoryOf(fleet, database, retention).list(keeper.roster.box(instance.name));
    };
  };
}

/** Makes the work of both kinds of rounds. */
export function createWork(options: StoreOptions, parts: StoreParts) {
  const { fleet, files, retention } = options;
  const { s3, sealer, ledgers, owners, claim } = parts;
  const known = createKnown();
  const ask = createAsk(options);
  const directoryOf = (database: string) => join(repositoriesIn(fleet), database);
  const listState = (database: string) =>
    readInside(directoryOf(database), "data", "backup", "main", "backup.info")?.state;

  async function copying<Result>(database: string, work: (it: Copying) => Promise<Result>) {
    await claim();
    return ledgers.use(database, async (ledger) => {
      const [prefix, directory] = [databasePrefix(database), directoryOf(database)];
      const pass = repositoryKey(fleet, database);
      const it = { prefix, directory, ledger, s3, sealer, pass };
      await readStore(it, readMilliseconds);
      return work(it);
    });
  }

  async function sendWhatItIs(it: Copying, database: string, state: Known): Promise<void> {
    const instance = instanceOf(options, database);
    const record: DatabaseRecord | undefined = files.databases.has(database)
      ? files.databases.get(database)
      : undefined;
    if (record !== undefined && instance !== undefined) {
      const owner = owners.get(database);
      const stored: StoredRecord = { record, instance, owner, removedAt: null };
      return sendRecord(it, stored);
    }
    if (record !== undefined || state.isRemoved) return;
    await sendRemoval(it, database);
    state.isRemoved = true;
  }

  return {
    directoryOf,
    forget: known.forget,
    /** Looks at all of it next time. */
    doubt: (database: string) => void Object.assign(known.of(database), { archived: undefined }),
    hasOtherBackups: (database: string) => listState(database) !== known.of(database).listed,
    wal: (database: string) =>
      copying(database, async (it) => {
        const state = known.of(database);
        await sendWhatItIs(it, database, state);
        return sendWal(it, state);
      }),
    backups: (database: string) =>
      copying(database, async (it) => {
        const listed = listState(database);
        await sendBackups(it, ask(database), retention);
        known.of(database).listed = listed;
        return false;
      }),
  };
}
