// Puts an instance in the place of the one that serves a database: what was recovered, or what was
// put aside before. The one that served is stopped, and kept.
import { sizeOf } from "../database/spec.ts";
import { accessOf, settle, withSessions } from "../database/settle.ts";
import { settleLogins } from "../database/login.ts";
import type { DatabaseMeans } from "../database/means.ts";
import type { InstanceState } from "../instance/roster.ts";
import { HostProblem } from "../problem.ts";
import { walDirectory } from "../wal/wal.ts";
import { startForked } from "./fork.ts";

/** What an exchange works with, beside what all verbs of databases do. */
export interface ExchangeMeans extends DatabaseMeans {
  /** Told of each database that goes on from its past: a base backup of it is due. */
  readonly afterExchange: (database: string) => void;
}

/**
 * Has an instance that runs, and has a record, serve a database with its spec as it is now. Done
 * twice it does nothing the second time. For who is in the database's lane.
 */
export async function exchange(
  means: ExchangeMeans,
  database: string,
  instance: string,
): Promise<void> {
  const { keeper, safe, files, afterExchange } = means;
  const { spec, state } = files.databases.get(database);
  if (keeper.live(database).record.name !== instance) {
    // Its roles are those of then; clients are let in to those of now.
    await keeper.resize(instance, sizeOf(spec), async () => undefined);
    await withSessions(means, instance, (sessions) =>
      settleLogins(sessions, database, accessOf(spec)),
    );
    await keeper.replace(database, instance, () => safe.noteTimelineOf(database, instance));
  }
  safe.follow(database, instance);
  await settle(means, database);
  if (state === "stopped") await keeper.stop(instance);
  afterExchange(database);
}

/** @throws HostProblem 404 when an instance is not one that was put aside for this database */
function requireAside({ keeper, files }: DatabaseMeans, database: string, instance: string) {
  const state = keeper.roster.has(instance) ? keeper.roster.get(instance) : undefined;
  const isShown = files.previews.all().some((preview) => preview.instance === instance);
  const isServing = keeper.live(database).record.name === instance;
  if (state?.record.database === database && !isShown && !isServing) return state;
  const words = `${instance} is no instance of ${database} that was put aside.`;
  throw new HostProblem(404, "unknown_instance", words);
}

/** Starts one that was put aside, on a timeline of its own. */
async function startAside(
  means: ExchangeMeans,
  database: string,
  { record, server }: InstanceState,
): Promise<void> {
  const { fleet, keeper, safe } = means;
  // A host program that was ended may have begun it.
  if (server !== undefined) return;
  const copies = walDirectory(safe.repository(database));
  const started = await startForked(fleet, keeper.roster.box(record.name), record, copies);
  await keeper.adopt({ record, server: started });
}

/** Puts an instance that was put aside in the place of the one that serves, which is put aside. */
export async function bringBack(
  means: ExchangeMeans,
  database: string,
  instance: string,
): Promise<void> {
  const state = requireAside(means, database, instance);
  await startAside(means, database, state);
  await exchange(means, database, instance);
}

/** Removes one that was put aside; one that is not there is as good. */
export async function removeAside(
  means: DatabaseMeans,
  database: string,
  instance: string,
): Promise<void> {
  if (!means.keeper.roster.has(instance)) return;
  requireAside(means, database, instance);
  await means.keeper.remove(instance);
}
