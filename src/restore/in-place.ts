// A database as it was at a moment, at the same URL with the same credentials. The former content
// stays aside under another name, so that the switch can be switched back.
import { z } from "zod";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { TerminalError } from "../core/error.ts";
import { newId, opaqueName } from "../core/id.ts";
import { changeDatabase } from "../database/change.ts";
import { laneOf } from "../database/create.ts";
import { openPassword } from "../database/credential.ts";
import { loadDatabase } from "../database/load.ts";
import { limitsOf } from "../database/size.ts";
import type { DatabaseRow } from "../database/table.ts";
import { begin, type Do, defineOperation, next, type Undo } from "../operation/define.ts";
import { recordEvent } from "../webhook/event.ts";
import {
  changeRestore,
  finishRecovery,
  giveUpRecovery,
  loadInto,
  Recovering,
  recover,
} from "./recover.ts";
import { incarnation, restore } from "./table.ts";
import type { ResolvedTarget } from "./target.ts";
import { tellRestore } from "./tell.ts";

const asideDays = 7;
const dayMilliseconds = 86_400_000;

const InPlaceInput = Recovering.extend({
  databaseId: z.string(),
  databaseName: z.string(),
  ownerRole: z.string(),
  twinName: z.string(),
  asideName: z.string(),
});
type InPlaceInput = z.infer<typeof InPlaceInput>;

const bringBack: Do<InPlaceInput> = (context, { input }) => recover(context, input);

const giveUp: Undo<InPlaceInput> = async (context, { input, failure }) => {
  await giveUpRecovery(context, input);
  const errorMessage = failure?.message ?? null;
  const change = { state: "failed", errorMessage, finishedAt: context.now() } as const;
  return [
    changeRestore(context, input.restoreId, change),
    ...(await tellRestore(context, "restore.failed", input.restoreId, { reason: errorMessage })),
  ];
};

const prepare: Do<InPlaceInput> = async (context, { input }) => {
  await context.host.createTwin(input.hostId, input.twinName, input.ownerRole);
  const { row } = await loadDatabase(context, input.databaseId);
  const { temporaryBytesMax } = limitsOf(row);
  await context.host.limitTemporary(input.hostId, input.twinName, temporaryBytesMax);
  return next();
};

const dropTwin: Undo<InPlaceInput> = async (context, { input }) => {
  await context.host.dropTwin(input.hostId, input.twinName);
  return [];
};

const load: Do<InPlaceInput> = async (context, { input }) => {
  const outcome = await loadInto(context, input, input.twinName, async () => {
    const { row } = await loadDatabase(context, input.databaseId);
    const password = await openPassword(context, row);
    return { user: row.loginRole, password };
  });
  if ("dump_id" in input.request) await checkRoom(context, input);
  return outcome;
};

// An archive is compressed: how much is in it shows as it is loaded.
async function checkRoom(context: Context, input: InPlaceInput): Promise<void> {
  const { row } = await loadDatabase(context, input.databaseId);
  const { storageBytesMax } = limitsOf(row);
  if ((await context.host.measure(input.hostId, input.twinName)) <= storageBytesMax) return;
  const message = `What is in it takes more than the storage ceiling of ${storageBytesMax} bytes.`;
  throw new TerminalError("STORAGE_FULL", message);
}

const swap: Do<InPlaceInput> = async (context, { input, operationId }) => {
  const { hostId, databaseName: live, twinName: twin, asideName: aside } = input;
  await context.host.swapDatabases(hostId, { live, twin, aside });
  const { row } = await loadDatabase(context, input.databaseId);
  const asideUntil = new Date(context.now().getTime() + asideDays * dayMilliseconds);
  const data = { restore_id: input.restoreId };
  return next(
    ...(await changeIncarnation(context, row, aside)),
    changeRestore(context, input.restoreId, { asideUntil }),
    recordEvent(context, "database.restored", row, { operationId, data }),
  );
};

const cleanUp: Do<InPlaceInput> = async (context, { input }) => {
  return next(...(await finishRecovery(context, input)));
};

/** Notes that from now on another of Postgres' databases has this one's name. */
async function changeIncarnation(
  context: Context,
  row: DatabaseRow,
  aside: string,
): Promise<Statement[]> {
  const { hostId, databaseName } = row;
  const former = await context.host.oidOf(hostId, aside);
  const oid = await context.host.oidOf(hostId, databaseName);
  const ended = former === null || former === oid || row.oid === oid ? [] : [former];
  return [
    ...ended.map((each) =>
      context.db
        .insert(incarnation)
        .values({ databaseId: row.id, oid: each, endedAt: context.now() }),
    ),
    changeDatabase(context, row.id, { oid }),
  ];
}

/** `database.restore_in_place`: clients wait for the switch alone, and keep URL and password. */
export const restoreInPlace = defineOperation<InPlaceInput>({
  name: "database.restore_in_place",
  input: InPlaceInput,
  deadlineMinutes: 6 * 60,
  attemptsMax: 20,
  pointOfNoReturn: "swap",
  steps: {
    bringBack: { do: bringBack, undo: giveUp },
    prepare: { do: prepare, undo: dropTwin },
    load: { do: load },
    swap: { do: swap },
    cleanUp: { do: cleanUp },
  },
});

const UndoInput = z.object({
  restoreId: z.string(),
  databaseId: z.string(),
  hostId: z.string(),
  databaseName: z.string(),
  /** Where the former content is, and the name what is live gets. */
  twinName: z.string(),
  asideName: z.string(),
});
type UndoInput = z.infer<typeof UndoInput>;

const swapBack: Do<UndoInput> = async (context, { input, operationId }) => {
  const { hostId, databaseName: live, twinName: twin, asideName: aside } = input;
  await context.host.swapDatabases(hostId, { live, twin, aside });
  const { row } = await loadDatabase(context, input.databaseId);
  const data = { restore_id: input.restoreId, undone: true };
  const change = { asideName: aside, undoneAt: context.now() };
  return next(
    ...(await changeIncarnation(context, row, aside)),
    changeRestore(context, input.restoreId, change),
    recordEvent(context, "database.restored", row, { operationId, data }),
  );
};

/** `database.undo_restore`: the former content is live again, what was restored is aside. */
export const undoRestore = defineOperation<UndoInput>({
  name: "database.undo_restore",
  input: UndoInput,
  deadlineMinutes: 60,
  attemptsMax: 20,
  pointOfNoReturn: "swapBack",
  steps: { swapBack: { do: swapBack } },
});

const ForgetInput = z.object({
  restoreId: z.string(),
  hostId: z.string(),
  asideName: z.string(),
});
type ForgetInput = z.infer<typeof ForgetInput>;

const dropAside: Do<ForgetInput> = async (context, { input }) => {
  await context.host.dropTwin(input.hostId, input.asideName);
  return next(changeRestore(context, input.restoreId, { asideUntil: null }));
};

/** `database.forget_former`: what a restore in place put aside is dropped after a week. */
export const forgetFormer = defineOperation<ForgetInput>({
  name: "database.forget_former",
  input: ForgetInput,
  deadlineMinutes: 60,
  attemptsMax: 20,
  pointOfNoReturn: "dropAside",
  steps: { dropAside: { do: dropAside } },
});

const nameLength = 20;

function subjectOf(row: DatabaseRow) {
  const { organizationId, workspaceId, projectId, id: resourceId } = row;
  return { lane: laneOf(projectId), organizationId, workspaceId, projectId, resourceId };
}

/** Begins to restore a database in place. */
export function beginRestoreInPlace(
  context: Context,
  source: DatabaseRow,
  { request, words, source: madeFrom, backupLabel, previewId }: ResolvedTarget,
  requestId: string,
) {
  const { organizationId, workspaceId, projectId, hostId, id: databaseId } = source;
  const restoreId = newId(context);
  const twinName = `twin_${opaqueName(context, nameLength)}`;
  const asideName = `former_${opaqueName(context, nameLength)}`;
  const { databaseName, ownerRole } = source;
  const names = { databaseName, ownerRole, twinName, asideName };
  const operation = begin(
    context,
    restoreInPlace,
    { ...subjectOf(source), requestId },
    { restoreId, previewId, hostId, request, databaseId, ...names },
  );
  const now = context.now();
  const insert = context.db.insert(restore).values({
    id: restoreId,
    organizationId,
    workspaceId,
    projectId,
    sourceDatabaseId: databaseId,
    databaseId,
    hostId,
    operationId: operation.id,
    mode: "in_place",
    state: "pending",
    source: madeFrom,
    backupLabel,
    requestedTarget: words,
    previewId,
    twinName,
    asideName,
    createdAt: now,
    updatedAt: now,
  });
  const resourceId = databaseId;
  const data = { mode: "in_place", database_id: databaseId, source_database_id: databaseId };
  const facts = { operationId: operation.id, data };
  const told = recordEvent(context, "restore.created", { ...source, id: restoreId }, facts);
  return { restoreId, databaseId, resourceId, statements: [operation.statement, insert, told] };
}

/** Begins to switch back what a restore in place switched; doing it twice restores again. */
export function beginUndo(
  context: Context,
  row: DatabaseRow,
  { id: restoreId, asideName }: { readonly id: string; readonly asideName: string },
  requestId: string,
) {
  const operation = begin(
    context,
    undoRestore,
    { ...subjectOf(row), requestId },
    {
      restoreId,
      databaseId: row.id,
      hostId: row.hostId,
      databaseName: row.databaseName,
      twinName: asideName,
      asideName: `former_${opaqueName(context, nameLength)}`,
    },
  );
  return { operationId: operation.id, statements: [operation.statement] };
}

/** Begins to drop what a restore put aside. */
export function beginForget(
  context: Context,
  row: DatabaseRow,
  { id: restoreId, asideName }: { readonly id: string; readonly asideName: string },
) {
  const subject = { ...subjectOf(row), resourceId: `${row.id}/${asideName}` };
  const input = { restoreId, hostId: row.hostId, asideName };
  return begin(context, forgetFormer, subject, input);
}
