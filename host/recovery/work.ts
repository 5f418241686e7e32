// How an instance comes to be what a recovery asks for: a moment of a database, or a dump of it.

import { endNow } from "../base/running.ts";
import { knownInstance } from "../base-backup/known.ts";
import type { DatabaseMeans } from "../database/means.ts";
import { discard } from "../instance/discard.ts";
import { boxOf } from "../instance/fleet.ts";
import type { InstanceRecord } from "../instance/record.ts";
import type { InstanceState } from "../instance/roster.ts";
import { emptyDatabase } from "./empty.ts";
import { recover } from "./recover.ts";
import type { Entry, Worker } from "./registry.ts";
import { sourcesOf } from "./source.ts";
import type { RecoveryTarget } from "./target.ts";

/** Loads a dump into the empty database of an instance that runs. */
export type LoadDump = (
  dumpId: string,
  state: InstanceState,
  owner: string,
  signal: AbortSignal,
) => Promise<void>;

/** What recoveries work with, beside what all verbs of databases do. */
export interface WorkMeans extends DatabaseMeans {
  readonly loadDump: LoadDump;
  /** Sees to it that there is a base backup to begin with. */
  readonly ensureBackup: (database: string) => Promise<void>;
  /** Told of what was damaged, though another way was found. */
  readonly noteDamage: (database: string, detail: string) => void;
}

/** Has all at hand that was written; of one that is removed nothing more comes. */
async function takeAll({ wal, files }: WorkMeans, database: string): Promise<void> {
  if (files.databases.has(database)) await wal.takeNow(database);
}

async function recoverTo(
  means: WorkMeans,
  { database, name, purpose, progress }: Entry,
  of: InstanceRecord,
  target: RecoveryTarget,
): Promise<InstanceState> {
  const { fleet, safe } = means;
  await progress.step("take_wal", () => takeAll(means, database));
  // One that was removed may have been another user's.
  if (!means.files.databases.has(database)) {
    await safe.repository(database).open(boxOf(fleet, name, of.slot, of.size));
  }
  const order = { of, name, target, isThrowAway: purpose === "preview" };
  try {
    return await recover(fleet, sourcesOf(means, database), order, progress);
  } finally {
    const damage = progress.facts().passed_over.find(({ is_damage }) => is_damage);
    if (damage !== undefined) means.noteDamage(database, damage.problem);
  }
}

/** A dump comes into the place of the database: what it is in stays the same cluster. */
async function loadInto(
  means: WorkMeans,
  entry: Entry,
  of: InstanceRecord,
  dumpId: string,
): Promise<InstanceState> {
  const { fleet, ensureBackup, loadDump } = means;
  const { database, name, progress } = entry;
  await progress.step("back_up", () => ensureBackup(database));
  const state = await recoverTo(means, entry, of, { latest: true });
  try {
    const { place } = boxOf(fleet, name, of.slot, of.size);
    const owner = await progress.step("empty", () => emptyDatabase(fleet, place, database));
    await progress.step("load", () => loadDump(dumpId, state, owner, progress.signal));
    return state;
  } catch (error) {
    if (state.server !== undefined) await endNow(state.server);
    await discard(fleet, name);
    throw error;
  }
}

/** Makes what carries recoveries out. */
export function createWorker(means: WorkMeans): Worker {
  const { keeper, files, safe } = means;
  return {
    of(database) {
      if (files.databases.has(database)) return keeper.live(database).record;
      return knownInstance(safe.repository(database).directory);
    },
    work(entry, of) {
      const { request } = entry;
      if ("dump_id" in request) return loadInto(means, entry, of, request.dump_id);
      return recoverTo(means, entry, of, request.target);
    },
    withSlot(database, slot, work) {
      if (files.databases.has(database)) return keeper.roster.keepSlot(slot, () => work(slot));
      return keeper.withSlot(work);
    },
  };
}
