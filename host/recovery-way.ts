// The ways in which one database can be recovered, the fastest first: from a cut-down view of the
// first repository; as pgBackRest does it, when a manifest is not one to be cut down; and the same
// from the second repository. Which is tried after which is in recovery-attempt.ts.
import type { MomentRequest } from "../src/contract/moment.ts";
import { type BaseBackup, listBackups } from "./backrest.ts";
import type { Backup } from "./backup.ts";
import { type Attempt, isWorthTrying, NoBaseBackup } from "./recovery-attempt.ts";
import { isUnbroken } from "./recovery-window.ts";
import { makeView, type RecoveryTarget, restoreFiles, type Scratch } from "./scratch.ts";
import { fetchWal, planStock, restoreStock, walFor } from "./stock-restore.ts";
import { localSegments, prefetchWal } from "./wal-prefetch.ts";

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

/**
 * The newest backup that was over before the target. When some of them do not do, it is one from
 * before these whose WAL goes on unbroken to where they began.
 * @throws NoBaseBackup
 */
export async function chooseBackup(
  { way, without }: Attempt,
  scratch: Scratch,
  request: MomentRequest,
  { backrest, store }: Backup,
): Promise<BaseBackup> {
  const isFirst = way.repository === 1;
  const backups = isFirst ? await listBackups(backrest, 1) : (store?.backups() ?? []);
  const fitting = backups.filter((backup) => isBefore(request, backup));
  const newest = fitting.at(-1);
  if (newest !== undefined && without.length === 0) return newest;
  const segments = isFirst ? localSegments(scratch) : (store?.segments() ?? new Set());
  const chosen = fitting.findLast(
    ({ label, startWal }) =>
      isWorthTrying(label, without) && isUnbroken(segments, startWal, newest?.startWal ?? startWal),
  );
  if (chosen !== undefined) return chosen;
  const { target } = request;
  if (!("backup" in target)) throw new NoBaseBackup("No base backup is older than the target.");
  throw new NoBaseBackup(`There is no base backup ${target.backup} any more.`);
}

function isBefore(request: MomentRequest, { label, stoppedAt }: BaseBackup): boolean {
  const { target } = request;
  if ("backup" in target) return label === target.backup;
  // pgBackRest tells the second in which it was over.
  return stoppedAt + 1000 <= (momentOf(request) ?? 0);
}

/** Looks what is in a base backup, and says how to go on. */
export async function prepareWay(
  { method, repository }: Attempt["way"],
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
