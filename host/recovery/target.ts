// Up to where a recovery goes, and which base backups it may begin with.
import type { BaseBackup } from "../base-backup/repository.ts";
import { isOfLineage, type Lineage, lineageOf } from "../wal/path.ts";
import { timelineOf } from "../wal/segment.ts";
import { lsnOf, timelineAt } from "../wal/timeline.ts";

/** Where it stops: after the last commit that is not later, or at the end of all WAL. */
export type RecoveryTarget =
  | { readonly time: string }
  /** A restore point, and about when it was made, or where it is in the newest WAL. */
  | { readonly name: string; readonly at: string }
  | { readonly name: string; readonly lsn: string }
  /** The end of a base backup. */
  | { readonly backup: string }
  | { readonly latest: true };

/** When a target is, in milliseconds; null for one that is not a moment. */
export function momentOf(target: RecoveryTarget): number | null {
  if ("time" in target) return Date.parse(target.time);
  return "at" in target ? Date.parse(target.at) : null;
}

/** The settings that stop a recovery there. */
export function targetSettings(target: RecoveryTarget): readonly string[] {
  if ("latest" in target) return [];
  // What was open at the target ends with it, and the locks that it held.
  const action = "recovery_target_action = 'promote'";
  if ("backup" in target) return ["recovery_target = 'immediate'", action];
  // While it reads its settings Postgres knows no zone by name, such as Z.
  const [kind, value] =
    "time" in target
      ? ["time", target.time.replace("T", " ").replace("Z", "+00")]
      : ["name", target.name];
  return [`recovery_target_${kind} = '${value.replaceAll("'", "''")}'`, action];
}

/**
 * The timeline a target is on, by what is noted of a database's past; one that came from a store
 * alone has no notes, and is on the timeline of its newest base backup.
 */
export function lineageFor(
  wal: string,
  target: RecoveryTarget,
  backups: readonly BaseBackup[],
): Lineage {
  const begun =
    "backup" in target ? backups.find(({ label }) => label === target.backup) : undefined;
  const moment = momentOf(target);
  const known = timelineAt(wal, moment === null ? null : new Date(moment));
  const newest = backups.at(-1);
  const timeline = begun ?? (known === undefined ? newest : undefined);
  const name = timeline === undefined ? known : timelineOf(timeline.firstWal);
  return lineageOf(wal, name ?? "00000001");
}

/** Whether a recovery to a target may begin with a base backup: it was over then, and lived. */
export function mayBegin(backup: BaseBackup, target: RecoveryTarget, lineage: Lineage): boolean {
  if ("backup" in target) return backup.label === target.backup;
  const moment = momentOf(target) ?? Number.POSITIVE_INFINITY;
  const isOver =
    "lsn" in target && timelineOf(backup.firstWal) === lineage.timeline
      ? lsnOf(backup.endLsn) <= lsnOf(target.lsn)
      : backup.stoppedAt * 1000 <= moment;
  return isOver && isOfLineage(lineage, timelineOf(backup.firstWal), lsnOf(backup.endLsn));
}
