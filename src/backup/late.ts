import { and, desc, eq, isNotNull } from "drizzle-orm";
import { raiseAlert, resolveAlerts } from "../alert/raise.ts";
import { alert } from "../alert/table.ts";
import type { ArchiveReport } from "../contract/archive.ts";
import { commit, type Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { allHosts } from "../host/find.ts";
import type { HostRow } from "../host/table.ts";
import { incrementalHours, isIdle } from "./schedule.ts";
import { baseBackup } from "./table.ts";

// One that is late by half is missed.
const backupMilliseconds = 1.5 * incrementalHours * 3_600_000;
const lateMilliseconds = 2 * 60_000;

/** Looks how far each host's WAL is archived; what waits for over two minutes is an alert. */
export async function watchArchives(context: Context): Promise<void> {
  for (const { id, name } of await allHosts(context)) {
    // A host that does not answer is an alert of its own.
    const status = await context.host.archiveStatus(id).catch(() => null);
    if (status !== null) await commit(context, alertsOf(context, id, name, status));
  }
}

function alertsOf(context: Context, id: string, name: string, status: ArchiveReport): Statement[] {
  const isLate = (since: string | null) =>
    since !== null && context.now().getTime() - Date.parse(since) > lateMilliseconds;
  const tell = (subject: string, since: string | null, message: string) =>
    isLate(since)
      ? raiseAlert(context, { kind: "archive_late", subject, message, details: { name, since } })
      : resolveAlerts(context, "archive_late", eq(alert.subject, subject));
  const { unarchived_since: waiting, store } = status;
  return [
    tell(
      id,
      waiting,
      `WAL of the host ${name} is not archived since ${waiting}: what is written since cannot ` +
        "be recovered. Look at the host's disk and its Postgres log for archive-push.",
    ),
    tell(
      `${id}/store`,
      store?.behind_since ?? null,
      `The second repository of the host ${name} is behind since ${store?.behind_since}: ` +
        `${store?.reason ?? "more is written than is copied"}. Recoveries use the first meanwhile.`,
    ),
  ];
}

/** Looks what became of each host's base backups; one that failed or was missed is an alert. */
export async function watchBackups(context: Context): Promise<void> {
  for (const host of await allHosts(context)) {
    const status = await context.host.archiveStatus(host.id).catch(() => null);
    const isNeeded = status === null || !isIdle(status);
    await commit(context, await backupAlert(context, host, isNeeded));
  }
}

async function backupAlert(
  context: Context,
  { id, name, createdAt }: HostRow,
  isNeeded: boolean,
): Promise<Statement[]> {
  const isOver = and(eq(baseBackup.hostId, id), isNotNull(baseBackup.endedAt));
  const latest = (which = isOver) =>
    context.db.select().from(baseBackup).where(which).orderBy(desc(baseBackup.seq)).limit(1);
  const [[last], [whole]] = await context.db.batch([
    latest(),
    latest(and(isOver, eq(baseBackup.state, "succeeded"))),
  ]);
  // The first one is the host's own, made before there was a host here.
  const since = (whole?.endedAt ?? createdAt).toISOString();
  const isLate = context.now().getTime() - Date.parse(since) > backupMilliseconds;
  const isMissed = isNeeded && isLate;
  if (last?.state !== "failed" && !isMissed) {
    return [resolveAlerts(context, "backup_failed", eq(alert.subject, id))];
  }
  const what = last?.state === "failed" ? "The last base backup failed" : "A base backup is missed";
  const message =
    `${what} on the host ${name}; the last one is of ${since}. It is tried again in a quarter ` +
    "of an hour, and what was written since takes longer to restore. Look at its host's disk, " +
    "and at the host's operations for why.";
  return [raiseAlert(context, { kind: "backup_failed", subject: id, message, details: { since } })];
}
