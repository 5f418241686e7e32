import { log, messageOf } from "../log.ts";
import type { DatabaseMeans } from "./means.ts";

/** Ends a preview, for who is in its line's lane. */
export async function removePreview(means: DatabaseMeans, line: string): Promise<void> {
  const { keeper, files, pair } = means;
  const { instance } = files.previews.get(line);
  files.previews.remove(line);
  await pair.apply();
  await pair.endClients(line);
  if (keeper.roster.has(instance)) await keeper.remove(instance);
}

/** Keeps the last of what was written: its moments can be recovered for as long as any other's. */
async function finishWal({ keeper, wal }: DatabaseMeans, database: string): Promise<void> {
  try {
    await keeper.stop(keeper.live(database).record.name);
    await wal.finish(database);
  } catch (error) {
    log("warn", `The last WAL of ${database} is not kept: ${messageOf(error)}`);
    await wal.leave(database);
  }
}

/**
 * Removes a database with its previews and all of its instances; its repository stays. One that is
 * not there is as good. Its record goes last, so that what a crash leaves is removed with it.
 */
export async function removeWhole(means: DatabaseMeans, database: string): Promise<void> {
  const { keeper, files, pair } = means;
  const isKnown = files.databases.has(database);
  if (isKnown) files.databases.put({ ...files.databases.get(database), stage: "removing" });
  const previews = files.previews.all().filter((one) => one.database === database);
  for (const { line } of previews) files.previews.remove(line);
  await pair.apply();
  for (const line of [database, ...previews.map((one) => one.line)]) await pair.endClients(line);
  if (isKnown) await finishWal(means, database);
  const own = keeper.roster.all().filter(({ record }) => record.database === database);
  for (const { record } of own) await keeper.remove(record.name);
  if (isKnown) files.databases.remove(database);
}
