// When the next base backup of a database is due: each day once, at a moment of its own, unless
// nothing was written since the last one. Pure.
import { createHash } from "node:crypto";
import type { BackupType } from "./repository.ts";
import type { BackupState } from "./state.ts";

const dayMilliseconds = 86_400_000;
/** A full one a week, however its moment of the day falls. */
const fullAfterMilliseconds = 6.5 * dayMilliseconds;
/** One that failed is tried again after that. */
const againMilliseconds = 10 * 60_000;
/** Stopping and starting Postgres writes a little; so does a checkpoint. */
const writtenBytesMin = 64n * 1024n;

/** The last moment of the day that is a database's own, in milliseconds. */
export function lastMoment(database: string, now: number): number {
  const hash = createHash("sha256").update(database).digest().readUInt32LE(0);
  const today = Math.floor(now / dayMilliseconds) * dayMilliseconds;
  const moment = today + (hash % dayMilliseconds);
  return moment <= now ? moment : moment - dayMilliseconds;
}

/** True when a database has written since its last base backup. */
export function hasWritten({ newest }: BackupState, position: bigint): boolean {
  if (newest === null) return true;
  const before = BigInt(newest.position);
  // Another instance may be in its place, which is elsewhere in WAL.
  return position < before || position - before >= writtenBytesMin;
}

/**
 * Which base backup is due; null for none.
 * @param position how far WAL is written; null when that is not known
 */
export function backupDue(
  database: string,
  state: BackupState,
  position: bigint | null,
  now: number,
): BackupType | null {
  const { newest, failed, damaged, fullAt } = state;
  if (failed !== null && now - failed.at < againMilliseconds) return null;
  if (newest === null || damaged !== null) return "full";
  const isOver = newest.at >= lastMoment(database, now);
  if (isOver || position === null || !hasWritten(state, position)) return null;
  return fullAt === null || now - fullAt >= fullAfterMilliseconds ? "full" : "incr";
}
