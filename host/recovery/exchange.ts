// Puts an instance in the place of the one that serves a database: what was recovered, or what was
// put aside before. The one that served is stopped, and kept.
import { join } from "node:path";
import { z } from "zod";
import { settleLogins } from "../database/login.ts";
import type { DatabaseMeans } from "../database/means.ts";
import { accessOf, settle, withSessions } from "../database/settle.ts";
import { sizeOf } from "../database/spec.ts";
import { readIfExists, writeAtomically } from "../file.ts";
import type { InstanceState } from "../instance/roster.ts";
import { HostProblem } from "../problem.ts";
import { walDirectory } from "../wal/wal.ts";
import { startForked } from "./fork.ts";

/** What an exchange works with, beside what all verbs of databases do. */
export interface ExchangeMeans extends DatabaseMeans {
  /** Told of each database that goes on from its past: a base backup of it is due. */
  readonly afterExchange: (database: string) => void;
}

const File = z.record(z.string(), z.string());
const fileIn = (directory: string) => join(directory, "exchanged.json");
const exchangesMax = 50;

/** Notes which instance is put aside for another one; on disk before it returns. */
function noteExchange(directory: string, instance: string, former: string): void {
  const known = File.parse(JSON.parse(readIfExists(fileIn(directory)) ?? "{}"));
  const others = Object.entries(known).filter(([name]) => name !== instance);
  const all = Object.fromEntries([...others.slice(1 - exchangesMax), [instance, former]]);
  writeAtomically(fileIn(directory), JSON.stringify(all));
}

/** The instance that was put aside when this one took its place last. */
function formerOf(directory: string, instance: string): string | undefined {
  return File.parse(JSON.parse(readIfExists(fileIn(directory)) ?? "{}"))[instance];
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
  const former = keeper.live(database).record.name;
  if (former !== instance) {
    noteExchange(safe.repository(database).directory, instance, former);
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
  const { fleet, keeper, safe, wal } = means;
  // Its past is told by histories, and so is that of the one that serves.
  await wal.takeNow(database);
  // A host program that was ended may have begun it, or somebody have it run for a moment.
  if (server !== undefined) await keeper.stop(record.name);
  const copies = walDirectory(safe.repository(database));
  const started = await startForked(fleet, keeper.roster.box(record.name), record, copies);
  await keeper.adopt({ record, server: started });
}

/**
 * Puts an instance that was put aside in the place of the one that serves. Done twice it answers
 * the same. @returns the one that is put aside by it
 */
export async function bringBack(
  means: ExchangeMeans,
  database: string,
  instance: string,
): Promise<string> {
  const { keeper, files, safe } = means;
  files.databases.get(database);
  const live = keeper.live(database).record.name;
  const former = formerOf(safe.repository(database).directory, instance);
  if (live === instance && former !== undefined) {
    await exchange(means, database, instance);
    return former;
  }
  const state = requireAside(means, database, instance);
  await startAside(means, database, state);
  await exchange(means, database, instance);
  return live;
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
