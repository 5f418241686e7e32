import { and, desc, eq } from "drizzle-orm";
import type { ArchiveReport } from "../contract/archive.ts";
import { commit } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { messageOf } from "../core/error.ts";
import { ask } from "../host/ask.ts";
import { allHosts } from "../host/find.ts";
import { activeOperations, commitExclusively } from "../operation/find.ts";
import { type BaseBackupRow, baseBackup } from "./table.ts";
import { beginBaseBackup } from "./take.ts";

const fullHours = 24;
/** Replay stays short: the next base backup is taken after that long, or a gibibyte of WAL. */
export const incrementalHours = 6;
const incrementalWalBytes = 1024 ** 3;
const hourMilliseconds = 3_600_000;
// A day of what Postgres writes by itself, and less than one table.
const idleBytes = 64 * 1024;
// After one that failed the next is not tried at once.
const pauseHours = 0.25;

/** What is known of a host's backups when it is decided about the next. */
export interface BackupHistory {
  readonly lastFullAt: Date | null;
  readonly last: Pick<BaseBackupRow, "createdAt" | "walBytes"> | null;
  readonly lastFailedAt: Date | null;
}

/** True for a host that has nothing to back up but what Postgres writes by itself. */
export function isIdle({ written_since_backup_bytes: bytes }: ArchiveReport): boolean {
  return bytes !== null && bytes < idleBytes;
}

/** Which base backup is due now, or null: one that would hold what the last one holds never is. */
export function dueBackup(
  now: Date,
  status: ArchiveReport,
  { lastFullAt, last, lastFailedAt }: BackupHistory,
): BaseBackupRow["type"] | null {
  const { wal_bytes: walBytes } = status;
  const hoursSince = (at: Date) => (now.getTime() - at.getTime()) / hourMilliseconds;
  if (lastFailedAt !== null && hoursSince(lastFailedAt) < pauseHours) return null;
  if (lastFullAt === null || last === null) return "full";
  if (isIdle(status)) return null;
  if (hoursSince(lastFullAt) >= fullHours) return "full";
  if (walBytes - last.walBytes >= incrementalWalBytes) return "incr";
  return hoursSince(last.createdAt) >= incrementalHours ? "incr" : null;
}

/** Begins the base backups that are due; one host's trouble is not another's. */
export async function scheduleBackups(context: Context): Promise<void> {
  for (const { id, name } of await allHosts(context)) {
    try {
      await scheduleBackup(context, id);
    } catch (error) {
      const message = messageOf(error);
      context.log({ level: "warning", message, host: name });
    }
  }
}

async function scheduleBackup(context: Context, hostId: string): Promise<void> {
  if ((await activeOperations(context, [hostId])).size > 0) return;
  const status = await context.host.archiveStatus(hostId);
  const type = dueBackup(context.now(), status, await historyOf(context, hostId));
  if (type === null) return;
  const { statements } = beginBaseBackup(context, hostId, type, Math.round(status.wal_bytes));
  await commit(context, statements);
  await context.nudge(`host:${hostId}`);
}

/**
 * Begins a base backup whether one is due or not; the id of its operation.
 * @throws ApiError 409 OPERATION_IN_PROGRESS while another is taken, 503 when the host is silent.
 */
export async function backUpNow(
  context: Context,
  hostId: string,
  type: BaseBackupRow["type"],
): Promise<string> {
  const { wal_bytes: walBytes } = await ask(() => context.host.archiveStatus(hostId));
  const begun = beginBaseBackup(context, hostId, type, Math.round(walBytes));
  await commitExclusively(context, [hostId], begun.statements);
  await context.nudge(`host:${hostId}`);
  return begun.operationId;
}

async function historyOf(context: Context, hostId: string): Promise<BackupHistory> {
  const latest = (condition: ReturnType<typeof eq>) =>
    context.db
      .select()
      .from(baseBackup)
      .where(and(eq(baseBackup.hostId, hostId), condition))
      .orderBy(desc(baseBackup.seq))
      .limit(1);
  const succeeded = eq(baseBackup.state, "succeeded");
  const [full, last, failed] = await context.db.batch([
    latest(and(succeeded, eq(baseBackup.type, "full")) ?? succeeded),
    latest(succeeded),
    latest(eq(baseBackup.state, "failed")),
  ]);
  const lastFailedAt = failed[0]?.endedAt ?? null;
  // Until a full one of ours has been taken, the host's own first one is the last that was.
  const first = full[0] === undefined ? await firstOf(context, hostId) : null;
  const lastFull = full[0] ?? first;
  return { lastFullAt: lastFull?.createdAt ?? null, last: last[0] ?? first, lastFailedAt };
}

/** The one a host takes by itself, before its host takes databases. */
async function firstOf(context: Context, hostId: string): Promise<BackupHistory["last"]> {
  const backups = await context.host.baseBackups(hostId);
  const full = backups.findLast(({ type }) => type === "full");
  return full === undefined ? null : { createdAt: new Date(full.started_at), walBytes: 0 };
}
