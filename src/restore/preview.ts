// A database as it was at a moment, to look at: the recovered instance itself, which refuses
// writes, behind a name and a login of its own in the poolers.
import { and, eq, inArray, isNotNull } from "drizzle-orm";
import { z } from "zod";
import type { Context } from "../core/context.ts";
import { type ApiError, conflict, unavailable, unlessRefused } from "../core/error.ts";
import { newId, opaqueName } from "../core/id.ts";
import { laneOf } from "../database/create.ts";
import { newPassword, openPassword, verifierOf } from "../database/credential.ts";
import { loadDatabase } from "../database/load.ts";
import { probeDatabase } from "../database/probe.ts";
import { specOf } from "../database/spec.ts";
import type { DatabaseRow } from "../database/table.ts";
import { begin, type Do, defineOperation, goTo, next, type Undo } from "../operation/define.ts";
import { findRestoreRow } from "./find.ts";
import {
  changeRestore,
  endRecovery,
  previewOver,
  Recovering,
  recover,
  recoveryOf,
  tellFailure,
  unlessLost,
} from "./recover.ts";
import { newRestore } from "./row.ts";
import { type RestoreRow, restore } from "./table.ts";
import type { ResolvedTarget } from "./target.ts";
import { tellRestore } from "./tell.ts";

/** So many previews stand in a host at a time: each is a Postgres with memory of its own. */
const slots = [1, 2, 3, 4] as const;

/** How long one stands when nothing else is said. */
export const previewSeconds = 3600;

// The host's own end is for one nobody ends: it comes after the cron had its chance.
const spareSeconds = 120;

const nameLength = 20;

/** What the operation `database.preview` keeps. */
export const PreviewInput = Recovering.extend({ keepSeconds: z.number() });
type PreviewInput = z.infer<typeof PreviewInput>;

const bringBack: Do<PreviewInput> = (context, step) => recover(context, step, "preview");

const giveUp: Undo<PreviewInput> = async (context, { input, failure }) => {
  await endRecovery(context, input.hostId, input.restoreId);
  return [
    ...(await tellFailure(context, input.restoreId, failure?.message ?? null)),
    changeRestore(context, input.restoreId, previewOver(context)),
  ];
};

const open: Do<PreviewInput> = async (context, { input, attempt }) => {
  const { restoreId, hostId, keepSeconds } = input;
  const { row } = await loadDatabase(context, input.sourceDatabaseId);
  const standing = loginOf(await findRestoreRow(context, restoreId));
  const keep_seconds = keepSeconds + spareSeconds;
  const preview = { ...(await requestOf(context, row, standing)), keep_seconds };
  const order = { recovery_id: restoreId, preview };
  const opened = await unlessLost(attempt, context.host.command(hostId, "recovery.open", order));
  if (opened === null) return goTo("bringBack");
  await probeDatabase(context, { ...standing, allowedAddresses: row.allowedAddresses });
  const expiresAt = new Date(context.now().getTime() + keepSeconds * 1000);
  const change = { state: "succeeded", finishedAt: context.now(), expiresAt } as const;
  return next(
    changeRestore(context, restoreId, change),
    ...(await tellRestore(context, "restore.succeeded", restoreId)),
  );
};

// It is reached as its database is.
async function requestOf(
  context: Context,
  source: DatabaseRow,
  { id, databaseName, loginRole: name, passwordSealed }: ReturnType<typeof loginOf>,
) {
  const { transaction, session, allowed_addresses } = await specOf(context, source);
  return {
    name: databaseName,
    login: { name, verifier: await verifierOf(context, { id, name, passwordSealed }) },
    limits: { transaction, session, allowed_addresses },
  };
}

/** `database.preview`: recovered, and open for reading; its end is an operation of its own. */
export const preview = defineOperation<PreviewInput>({
  name: "database.preview",
  input: PreviewInput,
  deadlineMinutes: 6 * 60,
  attemptsMax: 20,
  steps: {
    bringBack: { do: bringBack, undo: giveUp },
    open: { do: open },
  },
});

const EndInput = z.object({ restoreId: z.string(), hostId: z.string() });
type EndInput = z.infer<typeof EndInput>;

const close: Do<EndInput> = async (context, { input }) => {
  await endRecovery(context, input.hostId, input.restoreId);
  return next(changeRestore(context, input.restoreId, previewOver(context)));
};

/** `database.end_preview`: its clients' connections end, and all of it goes. */
export const endPreview = defineOperation<EndInput>({
  name: "database.end_preview",
  input: EndInput,
  deadlineMinutes: 60,
  attemptsMax: 20,
  pointOfNoReturn: "close",
  steps: { close: { do: close } },
});

/**
 * Whether an open preview still stands. A host that was restarted has forgotten the recovery, and
 * goes on showing what it opened.
 * @throws Error when the host is silent, or not ready
 */
export async function isStanding(context: Context, row: RestoreRow): Promise<boolean> {
  const { hostId, id } = row;
  const found = await recoveryOf(context, hostId, id);
  if (found !== null) return found.state !== "failed";
  await context.host.checkReady(hostId);
  const { databaseName: database, loginRole: user, ...sealed } = loginOf(row);
  const login = { database, user, password: await openPassword(context, sealed) };
  const probe = context.host.command(hostId, "database.probe", { login, by: "socket" });
  return (await unlessRefused("no_answer", probe)) !== null;
}

/** How the poolers know a preview. @throws ApiError 409 PREVIEW_NOT_OPEN */
export function loginOf(row: RestoreRow) {
  const { id, hostId, previewName, previewLogin, passwordSealed } = row;
  if (previewName === null || previewLogin === null || passwordSealed === null) {
    throw previewNotOpen(row);
  }
  return { id, hostId, databaseName: previewName, loginRole: previewLogin, passwordSealed };
}

/** 409 PREVIEW_NOT_OPEN, saying what to do instead. */
export function previewNotOpen({ mode, state, endedAt }: RestoreRow): ApiError {
  const how = endedAt === null ? state : "over";
  const message =
    mode === "preview"
      ? `The preview is ${how}. It can be read and promoted while it stands; restore anew for it.`
      : `This restore made a database: only one with mode preview is read by itself.`;
  return conflict("PREVIEW_NOT_OPEN", message, { mode, state });
}

/**
 * Begins to recover a database for reading.
 * @throws ApiError 409 PREVIEW_EXISTS naming the one that stands, 503 TOO_MANY_PREVIEWS
 */
export async function beginPreview(
  context: Context,
  source: DatabaseRow,
  target: ResolvedTarget,
  { keepSeconds, requestId }: { readonly keepSeconds: number; readonly requestId: string },
) {
  const { organizationId, workspaceId, projectId, hostId, id: sourceDatabaseId } = source;
  const previewSlot = await freeSlot(context, source);
  const id = newId(context);
  const { passwordSealed } = await newPassword(context, id);
  const owner = { organizationId, workspaceId, projectId };
  const operation = begin(
    context,
    preview,
    { lane: laneOf(projectId), ...owner, resourceId: id, requestId },
    { restoreId: id, hostId, request: target.request, sourceDatabaseId, keepSeconds },
  );
  const own = {
    previewSlot,
    previewName: `preview_${opaqueName(context, nameLength)}`,
    previewLogin: `pre_${opaqueName(context, nameLength)}`,
    passwordSealed,
  };
  const operationId = operation.id;
  const begun = { id, databaseId: sourceDatabaseId, operationId, mode: "preview", own } as const;
  const statements = [operation.statement, ...newRestore(context, source, target, begun)];
  return { restoreId: id, resourceId: id, statements };
}

// Two that come at once take the same one: a unique index lets one of them pass.
async function freeSlot(context: Context, source: DatabaseRow): Promise<number> {
  const standing = await context.db
    .select()
    .from(restore)
    .where(and(eq(restore.hostId, source.hostId), isNotNull(restore.previewSlot)));
  const own = standing.find(({ sourceDatabaseId }) => sourceDatabaseId === source.id);
  if (own !== undefined) {
    const message = "A preview of this database stands already; DELETE /restores/:id ends it.";
    throw conflict("PREVIEW_EXISTS", message, { restore_id: own.id });
  }
  const taken = new Set(standing.map(({ previewSlot }) => previewSlot));
  const free = slots.find((slot) => !taken.has(slot));
  if (free !== undefined) return free;
  const message = `${slots.length} previews stand on this host: as many as it takes at a time.`;
  throw unavailable("TOO_MANY_PREVIEWS", message, 60);
}

/** Begins to end a preview that stands. */
export function beginEndPreview(context: Context, row: RestoreRow, requestId: string | null) {
  const { id: restoreId, hostId, organizationId, workspaceId, projectId } = row;
  const lane = laneOf(projectId);
  const subject = {
    lane,
    organizationId,
    workspaceId,
    projectId,
    resourceId: restoreId,
    requestId,
  };
  return begin(context, endPreview, subject, { restoreId, hostId });
}

/** The restore a preview is being promoted to; null when there is none. */
export async function promotionOf(context: Context, row: RestoreRow): Promise<RestoreRow | null> {
  const [found] = await context.db
    .select()
    .from(restore)
    .where(and(eq(restore.previewId, row.id), inArray(restore.state, ["pending", "running"])));
  return found ?? null;
}
