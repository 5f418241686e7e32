// From what a caller names to what a host recovers: which database, and up to where. Nothing is
// begun for a target outside of the window.
import { and, desc, eq } from "drizzle-orm";
import type { RecoveryRequest } from "../contract/recovery.ts";
import type { Context } from "../core/context.ts";
import { ApiError, conflict, invalid, notFound, unlessRefused } from "../core/error.ts";
import type { DatabaseRow } from "../database/table.ts";
import { dumpOf } from "../dump/find.ts";
import { baseBackupsOf } from "../dump/list.ts";
import { dumpIdIn, dumpName } from "../dump/name.ts";
import { ask } from "../host/ask.ts";
import { operation } from "../operation/table.ts";
import { type RestoreRow, restorePoint } from "./table.ts";

/** How a caller names the moment; exactly one. */
export interface TargetReference {
  readonly target_time?: string | undefined;
  readonly backup_id?: string | undefined;
  readonly before?: { readonly operation_id: string } | undefined;
  readonly restore_point?: string | undefined;
}

/** A moment that can be recovered, or an archive that can be loaded. */
export interface ResolvedTarget {
  readonly request: RecoveryRequest;
  readonly source: RestoreRow["source"];
  /** The dump's, when it is made from one. */
  readonly backupLabel: string | null;
  /** As it was asked for, in words. */
  readonly words: string;
  /** The preview that stands at it already, when there is one. */
  readonly previewId?: string;
}

/**
 * @param field is how the caller calls the moment
 * @throws ApiError 422 TARGET_OUTSIDE_WINDOW with both ends, or naming the field; 404 for an
 *   operation, a backup or a restore point that is not known; 503 when the host is silent.
 */
export async function resolveTarget(
  context: Context,
  row: DatabaseRow,
  reference: TargetReference,
  field = "target_time",
): Promise<ResolvedTarget> {
  const named = Object.entries(reference).filter(([, value]) => value !== undefined);
  if (named.length !== 1) {
    throw invalid(
      "target_time",
      "name exactly one of target_time, backup_id, before and restore_point.",
    );
  }
  const { backup_id: name } = reference;
  if (name !== undefined && dumpIdIn(name) !== null) return dumpTarget(context, row, name);
  const { at, target, words } = await locate(context, row, reference);
  await checkWindow(context, row, at, field);
  return {
    request: { database: row.databaseName, target },
    source: "recovery",
    backupLabel: null,
    words,
  };
}

async function dumpTarget(
  context: Context,
  row: DatabaseRow,
  name: string,
): Promise<ResolvedTarget> {
  const { id, state, hostId } = await dumpOf(context, row.id, name);
  if (state !== "succeeded" || hostId !== row.hostId) {
    throw conflict(
      "BACKUP_NOT_READY",
      `The backup is ${state}; only one that succeeded is whole.`,
      {
        backup_id: dumpName(id),
        state,
      },
    );
  }
  const label = dumpName(id);
  const request = { database: row.databaseName, dump_id: id };
  return { request, source: "dump", backupLabel: label, words: `backup ${label}` };
}

interface Located {
  readonly at: Date;
  readonly target: Extract<RecoveryRequest, { readonly target: unknown }>["target"];
  readonly words: string;
}

async function locate(
  context: Context,
  row: DatabaseRow,
  { target_time: time, backup_id: label, before, restore_point: point }: TargetReference,
): Promise<Located> {
  if (time !== undefined) return { at: new Date(time), target: { time: utc(time) }, words: time };
  if (label !== undefined) return locateBackup(context, row, label);
  if (before !== undefined) return locateOperation(context, row, before.operation_id);
  return locatePoint(context, row, point ?? "");
}

async function locateBackup(context: Context, row: DatabaseRow, label: string): Promise<Located> {
  const backups = await baseBackupsOf(context, row);
  const found = backups.find((backup) => backup.label === label);
  if (found === undefined) throw notFound("backup");
  // The end of a backup is told to the second; the moment after is surely in it. The first one may
  // be of before the database was somebody's.
  const end = Date.parse(found.stopped_at) + 1000;
  const at = new Date(Math.max(end, row.createdAt.getTime()));
  return { at, target: { backup: label }, words: `backup ${label}` };
}

async function locateOperation(
  context: Context,
  row: DatabaseRow,
  operationId: string,
): Promise<Located> {
  const [found] = await context.db
    .select()
    .from(operation)
    .where(and(eq(operation.id, operationId), eq(operation.resourceId, row.id)));
  if (found === undefined) throw notFound("operation");
  const at = found.startedAt ?? found.createdAt;
  return { at, target: { time: at.toISOString() }, words: `before operation ${operationId}` };
}

async function locatePoint(context: Context, row: DatabaseRow, name: string): Promise<Located> {
  const [found] = await context.db
    .select()
    .from(restorePoint)
    .where(and(eq(restorePoint.databaseId, row.id), eq(restorePoint.name, name)))
    .orderBy(desc(restorePoint.seq))
    .limit(1);
  if (found === undefined) throw notFound("restore point");
  const target = { name: found.walName, at: found.at.toISOString() };
  return { at: found.at, target, words: `restore point ${name}` };
}

/**
 * The spans in which a database can be recovered, the oldest first, while it was there. They end
 * about now, or after the moment that is asked about.
 * @throws ApiError 503 when the host is silent.
 */
export async function spansOf(context: Context, row: DatabaseRow, about?: Date) {
  const { hostId, databaseName: database } = row;
  const when = about === undefined ? {} : { about: about.toISOString() };
  const look = () => context.host.command(hostId, "recovery_window", { database, ...when });
  // Of one whose backups have expired its host knows nothing any more.
  const known = await ask(() => unlessRefused("unknown_database", look()));
  const created = row.createdAt.toISOString();
  const gone = row.state === "purged" ? (row.purgeAt?.toISOString() ?? created) : null;
  return (known?.spans ?? [])
    .map(({ from, to }) => ({
      from: from > created ? from : created,
      to: gone !== null && to > gone ? gone : to,
    }))
    .filter(({ from, to }) => from < to);
}

async function checkWindow(
  context: Context,
  row: DatabaseRow,
  at: Date,
  field: string,
): Promise<void> {
  const spans = await spansOf(context, row, at);
  const isInside = spans.some(
    ({ from, to }) => Date.parse(from) <= at.getTime() && at.getTime() <= Date.parse(to),
  );
  if (isInside) return;
  throw outsideWindow(at, spans, field);
}

type Span = Awaited<ReturnType<typeof spansOf>>[number];

// Of two spans beside each other, what is between them is a gap.
function outsideWindow(at: Date, spans: readonly Span[], field: string): ApiError {
  const moment = at.toISOString();
  const earliest = spans[0]?.from ?? null;
  const latest = spans.at(-1)?.to ?? null;
  const before = spans.findLast(({ to }) => Date.parse(to) < at.getTime());
  const after = spans.find(({ from }) => Date.parse(from) > at.getTime());
  const isGap = before !== undefined && after !== undefined;
  const gap = isGap ? { from: before.to, to: after.from } : null;
  const why =
    gap === null
      ? `cannot be recovered; the window is ${earliest} to ${latest}.`
      : `is in a gap of the window: nothing from ${gap.from} to ${gap.to} can be recovered. ` +
        "Name one of these two moments, or one outside of them.";
  return new ApiError(422, "TARGET_OUTSIDE_WINDOW", `${field}: ${moment} ${why}`, {
    fields: { [field]: [`is ${gap === null ? "outside" : "in a gap of"} the recovery window`] },
    details: { earliest, latest, gap },
  });
}

// Microseconds stay: an ISO time in UTC, whatever offset it came with.
function utc(time: string): string {
  const micros = /\.(\d+)/.exec(time)?.[1]?.slice(0, 6).padEnd(6, "0") ?? "000000";
  return new Date(time).toISOString().replace(/\.\d+Z$/, `.${micros}Z`);
}
