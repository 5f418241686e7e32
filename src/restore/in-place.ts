// A database as it was at a moment, at the same URL with the same credentials: the instance that
// was recovered takes the place of the one that served, which is put aside and can be brought back.
import { z } from "zod";
import type { Context } from "../core/context.ts";
import { unlessRefused } from "../core/error.ts";
import { newId } from "../core/id.ts";
import { laneOf } from "../database/create.ts";
import { loadDatabase } from "../database/load.ts";
import { applySpec } from "../database/spec.ts";
import type { DatabaseRow } from "../database/table.ts";
import { begin, type Do, defineOperation, goTo, next, type Undo } from "../operation/define.ts";
import { recordEvent } from "../webhook/event.ts";
import {
  changeRestore,
  endRecovery,
  finishRecovery,
  heeded,
  Recovering,
  recover,
  tellFailure,
  unlessLost,
} from "./recover.ts";
import { newRestore } from "./row.ts";
import type { ResolvedTarget } from "./target.ts";

const asideDays = 7;
const dayMilliseconds = 86_400_000;

/** What is recovered, and the database it takes the place in. */
export const InPlaceInput = Recovering.extend({ databaseId: z.string() });
type InPlaceInput = z.infer<typeof InPlaceInput>;

/** The step that recovers. */
export const bringBack: Do<InPlaceInput> = (context, step) => recover(context, step, "restore");

const giveUp: Undo<InPlaceInput> = async (context, { input, failure }) => {
  await endRecovery(context, input.hostId, input.restoreId);
  return tellFailure(context, input.restoreId, failure?.message ?? null);
};

/** The step in which what was recovered begins to serve; it is not taken back. */
export const exchange: Do<InPlaceInput> = async (context, { input, operationId, attempt }) => {
  const { hostId, restoreId } = input;
  const { row } = await loadDatabase(context, input.databaseId);
  const asked = context.host.command(hostId, "recovery.exchange", { recovery_id: restoreId });
  const former = await unlessLost(attempt, asked);
  if (former === null) return goTo("bringBack");
  const asideUntil = new Date(context.now().getTime() + asideDays * dayMilliseconds);
  const data = { restore_id: restoreId };
  return next(
    changeRestore(context, restoreId, { asideInstance: former.instance, asideUntil }),
    recordEvent(context, "database.restored", row, { operationId, data }),
  );
};

/** The step after it: what serves now was of another size and had other logins, perhaps. */
export const settle: Do<{ readonly databaseId: string }> = async (context, { input }) => {
  const { row } = await loadDatabase(context, input.databaseId);
  await applySpec(context, row);
  return next();
};

const cleanUp: Do<InPlaceInput> = async (context, { input }) => {
  return next(...(await finishRecovery(context, input)));
};

/** `database.restore_in_place`: clients wait for the exchange alone, and keep URL and password. */
export const restoreInPlace = defineOperation<InPlaceInput>({
  name: "database.restore_in_place",
  input: InPlaceInput,
  deadlineMinutes: 6 * 60,
  attemptsMax: 20,
  pointOfNoReturn: "exchange",
  steps: {
    bringBack: { do: bringBack, undo: giveUp },
    exchange: { do: exchange },
    settle: { do: settle },
    cleanUp: { do: cleanUp },
  },
});

const UndoInput = z.object({
  restoreId: z.string(),
  databaseId: z.string(),
  /** What is to serve again. */
  instance: z.string(),
});
type UndoInput = z.infer<typeof UndoInput>;

const exchangeBack: Do<UndoInput> = async (context, { input, operationId, attempt }) => {
  const { restoreId, databaseId, instance } = input;
  const { row } = await loadDatabase(context, databaseId);
  const order = { database: row.databaseName, instance };
  const asked = context.host.command(row.hostId, "aside.bring_back", order);
  const former = await heeded(attempt, asked);
  const data = { restore_id: restoreId, undone: true };
  const change = { asideInstance: former.instance, undoneAt: context.now() };
  return next(
    changeRestore(context, restoreId, change),
    recordEvent(context, "database.restored", row, { operationId, data }),
  );
};

/** `database.undo_restore`: what was put aside serves again, and what served is put aside. */
export const undoRestore = defineOperation<UndoInput>({
  name: "database.undo_restore",
  input: UndoInput,
  deadlineMinutes: 60,
  attemptsMax: 20,
  pointOfNoReturn: "exchangeBack",
  steps: { exchangeBack: { do: exchangeBack }, settle: { do: settle } },
});

const ForgetInput = z.object({
  restoreId: z.string(),
  hostId: z.string(),
  databaseName: z.string(),
  instance: z.string(),
});
type ForgetInput = z.infer<typeof ForgetInput>;

const removeAside: Do<ForgetInput> = async (context, { input }) => {
  const { hostId, databaseName: database, instance } = input;
  // It went with its database, when that is gone.
  const removed = context.host.command(hostId, "aside.remove", { database, instance });
  await unlessRefused("unknown_database", unlessRefused("unknown_instance", removed));
  return next(changeRestore(context, input.restoreId, { asideUntil: null }));
};

/** `database.forget_former`: what a restore in place put aside is removed after a week. */
export const forgetFormer = defineOperation<ForgetInput>({
  name: "database.forget_former",
  input: ForgetInput,
  deadlineMinutes: 60,
  attemptsMax: 20,
  pointOfNoReturn: "removeAside",
  steps: { removeAside: { do: removeAside } },
});

/** Whom an operation on a database belongs to. */
function subjectOf(row: DatabaseRow) {
  const { organizationId, workspaceId, projectId, id: resourceId } = row;
  return { lane: laneOf(projectId), organizationId, workspaceId, projectId, resourceId };
}

/** Begins to restore a database in place. */
export function beginRestoreInPlace(
  context: Context,
  source: DatabaseRow,
  target: ResolvedTarget,
  requestId: string,
) {
  const { hostId, id: databaseId } = source;
  const { request, previewId } = target;
  const restoreId = newId(context);
  const recovering = { restoreId, previewId, hostId, request, sourceDatabaseId: databaseId };
  const operation = begin(
    context,
    restoreInPlace,
    { ...subjectOf(source), requestId },
    { ...recovering, databaseId },
  );
  const begun = { id: restoreId, databaseId, operationId: operation.id, mode: "in_place" } as const;
  const statements = [operation.statement, ...newRestore(context, source, target, begun)];
  return { restoreId, databaseId, resourceId: databaseId, statements };
}

/** What a restore put aside. */
export interface Aside {
  readonly id: string;
  readonly asideInstance: string;
}

/** Begins to bring back what a restore in place put aside; doing it twice restores again. */
export function beginUndo(
  context: Context,
  row: DatabaseRow,
  { id: restoreId, asideInstance: instance }: Aside,
  requestId: string,
) {
  const subject = { ...subjectOf(row), requestId };
  const input = { restoreId, databaseId: row.id, instance };
  const operation = begin(context, undoRestore, subject, input);
  return { operationId: operation.id, statements: [operation.statement] };
}

/** Begins to remove what a restore put aside. */
export function beginForget(
  context: Context,
  row: DatabaseRow,
  { id: restoreId, asideInstance: instance }: Aside,
) {
  const subject = { ...subjectOf(row), resourceId: `${row.id}/${instance}` };
  const { hostId, databaseName } = row;
  return begin(context, forgetFormer, subject, { restoreId, hostId, databaseName, instance });
}
