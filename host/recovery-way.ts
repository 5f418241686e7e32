// The ways in which one database can be recovered, the fastest first: from a cut-down view of the
// first repository; as pgBackRest does it, when a manifest is not one to be cut down; and the same
// from the second repository, when the first is lost, broken, or does not reach to the target.
import type { MomentRequest } from "../src/contract/host.ts";
import { type BaseBackup, listBackups } from "./backrest.ts";
import type { Repository } from "./backrest-config.ts";
import type { Backup } from "./backup.ts";
import { ManifestRefused } from "./manifest-view.ts";
import { makeView, type RecoveryTarget, restoreFiles, type Scratch } from "./scratch.ts";
import { fetchWal, planStock, restoreStock, walFor } from "./stock-restore.ts";
import { localSegments, prefetchWal } from "./wal-prefetch.ts";

/** How, and from which repository. */
export interface Way {
  readonly method: "filtered" | "stock";
  readonly repository: Repository;
}

/** The first way to try. */
export const firstWay: Way = { method: "filtered", repository: 1 };

/** The way to try after one has failed; undefined when there is none left. */
export function wayAfter(way: Way, error: unknown, { store }: Backup): Way | undefined {
  if (error instanceof ManifestRefused) return { method: "stock", repository: 1 };
  const isLeft = way.repository === 1 && store !== undefined;
  return isLeft ? { method: "stock", repository: 2 } : undefined;
}

/** A recovery from a base backup, to be carried out. */
export interface Prepared {
  /** What is fetched from the backup. */
  readonly bytes: number;
  readonly restore: () => Promise<void>;
  /** Settings with which Postgres replays. */
  readonly settings: () => Promise<string>;
  /** Ends what goes on beside the replay. */
  readonly stop: () => Promise<void>;
}

const nothing = async () => undefined;

/** When a target is; the end of a base backup has none. */
function momentOf({ target }: MomentRequest): number | undefined {
  if ("backup" in target) return undefined;
  return Date.parse("time" in target ? target.time : target.at);
}

function targetOf({ target }: MomentRequest): RecoveryTarget {
  if ("time" in target) return { time: target.time.replace("T", " ").replace("Z", "+00") };
  return "name" in target ? { name: target.name } : { immediate: true };
}

/** The newest backup that was over before the target. @throws Error when there is none. */
export async function chooseBackup(
  { repository }: Way,
  request: MomentRequest,
  { backrest, store }: Backup,
): Promise<BaseBackup> {
  const isFirst = repository === 1;
  const backups = isFirst ? await listBackups(backrest, 1) : (store?.backups() ?? []);
  const { target } = request;
  const at = momentOf(request);
  const isIt = ({ label, stoppedAt }: BaseBackup) =>
    // pgBackRest tells the second in which it was over.
    "backup" in target ? label === target.backup : stoppedAt + 1000 <= (at ?? 0);
  const chosen = backups.findLast(isIt);
  if (chosen !== undefined) return chosen;
  if (!("backup" in target)) throw new Error("No base backup is older than the target.");
  throw new Error(`There is no base backup ${target.backup} any more.`);
}

/** Looks what is in a base backup, and says how to go on. */
export async function prepareWay(
  { method, repository }: Way,
  scratch: Scratch,
  chosen: BaseBackup,
  request: MomentRequest,
  { store, archive }: Backup,
): Promise<Prepared> {
  const target = targetOf(request);
  if (method === "filtered") {
    const { bytes } = await makeView(scratch, chosen.label, request.database_oid);
    const moment = momentOf(request) ?? chosen.stoppedAt;
    const wanted = walFor(chosen, localSegments(scratch), archive.heartbeats(), moment);
    const wal = prefetchWal(scratch, wanted);
    return {
      bytes,
      restore: () => restoreFiles(scratch, chosen.label, target),
      settings: async () => wal.setting,
      stop: wal.stop,
    };
  }
  const plan = await planStock(scratch, chosen, request.database_oid);
  const restore = () => restoreStock(scratch, chosen, plan, target);
  if (repository === 1 || store === undefined) {
    return { bytes: plan.bytes, restore, settings: async () => "", stop: nothing };
  }
  const moment = momentOf(request) ?? chosen.stoppedAt;
  const wanted = walFor(chosen, store.segments(), archive.heartbeats(), moment);
  const settings = () => fetchWal(scratch, chosen, wanted);
  return { bytes: plan.bytes, restore, settings, stop: nothing };
}
