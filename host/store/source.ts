// A database as a recovery reads it from the store: laid out in a place of its own, so that what
// its own repository has is left as it is.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { log, messageOf } from "../base/log.ts";
import { makePassable, removeTree } from "../instance/files.ts";
import type { Fleet } from "../instance/fleet.ts";
import { type Repository, repositoryOf } from "../repository/repository.ts";
import type { RecoverySource } from "../repository/source.ts";
import { bringBack } from "./bring-back.ts";
import { instanceOf, type StoreOptions, type StoreParts } from "./work.ts";

/** No recovery takes longer; after that what was fetched is in the way. */
const keptMilliseconds = 6 * 3600_000;

/** Has all of a repository fetched, and readable by its user. */
async function fetchAll(
  { keeper }: StoreOptions,
  { s3, sealer }: StoreParts,
  repository: Repository,
  database: string,
): Promise<void> {
  const instance = instanceOf({ keeper }, database);
  if (instance === undefined) throw new Error(`There is no database ${database} on this host.`);
  const box = keeper.roster.box(instance.name);
  const { directory } = repository;
  await removeTree(directory);
  await bringBack({ s3, sealer, database, directory, uid: box.uid });
  await repository.open(box);
}

/** Makes what names the source of a database. */
export function createSources(options: StoreOptions, parts: StoreParts) {
  const { fleet, retention } = options;
  const aside: Fleet = { ...fleet, directory: join(fleet.directory, "second") };
  // What is there is of recoveries that ended with a former host program.
  rmSync(aside.directory, { recursive: true, force: true });
  const timers = new Map<string, NodeJS.Timeout>();

  function removeLater(database: string, directory: string): void {
    clearTimeout(timers.get(database));
    const remove = () => {
      timers.delete(database);
      removeTree(directory).catch((error) => log("warn", messageOf(error)));
    };
    timers.set(database, setTimeout(remove, keptMilliseconds).unref());
  }

  return (database: string): RecoverySource => {
    const repository = repositoryOf(aside, database, retention);
    const { directory } = repository;
    return {
      number: 2,
      repository,
      wal: join(directory, "wal"),
      prepare: async () => {
        makePassable(aside.directory);
        removeLater(database, directory);
        await fetchAll(options, parts, repository, database);
      },
    };
  };
}
