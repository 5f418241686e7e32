// A full database takes only reads and deletes, at the same URL with the same password; it is as
// it was before once there is room.
import { z } from "zod";
import type { Context } from "../core/context.ts";
import { begin, type Do, defineOperation, next, type Undo } from "../operation/define.ts";
import { recordEvent } from "../webhook/event.ts";
import { changeDatabase, moveDatabase } from "./change.ts";
import { laneOf } from "./create.ts";
import { loadDatabase } from "./load.ts";
import { applySpec } from "./spec.ts";
import type { StorageState } from "./storage.ts";
import type { DatabaseRow } from "./table.ts";

const HoldInput = z.object({
  databaseId: z.string(),
  from: z.enum(["normal", "warning", "full"]),
  to: z.enum(["normal", "warning", "full"]),
  usedBytes: z.number(),
});
type HoldInput = z.infer<typeof HoldInput>;

const apply: Do<HoldInput> = async (context, { input }) => {
  const { row } = await loadDatabase(context, input.databaseId);
  await applySpec(context, { ...row, storageState: input.to });
  return next();
};

const restore: Undo<HoldInput> = async (context, { input }) => {
  const { row } = await loadDatabase(context, input.databaseId);
  await applySpec(context, row);
  return [];
};

const publish: Do<HoldInput> = async (context, { input, operationId }) => {
  const { row } = await loadDatabase(context, input.databaseId);
  const data = { used_bytes: input.usedBytes };
  const type = input.to === "full" ? "database.storage_full" : "database.storage_normal";
  return next(
    changeDatabase(context, row.id, { storageState: input.to }),
    recordEvent(context, type, row, { operationId, data }),
  );
};

const limits = { deadlineMinutes: 30, attemptsMax: 20, input: HoldInput };

/** `database.hold_writes`: its clients read and delete, and add nothing. */
export const holdWrites = defineOperation<HoldInput>({
  ...limits,
  name: "database.hold_writes",
  steps: { hold: { do: apply, undo: restore }, publish: { do: publish } },
});

/** `database.release_writes`: they write again. */
export const releaseWrites = defineOperation<HoldInput>({
  ...limits,
  name: "database.release_writes",
  steps: { release: { do: apply, undo: restore }, publish: { do: publish } },
});

/** Begins to hold a database's writes, or to let them go, for the state it is to have. */
export function beginHold(context: Context, row: DatabaseRow, to: StorageState, usedBytes: number) {
  const { organizationId, workspaceId, projectId, id: resourceId } = row;
  const lane = laneOf(projectId);
  const subject = { lane, organizationId, workspaceId, projectId, resourceId };
  const input = { databaseId: row.id, from: row.storageState, to, usedBytes };
  const operation = begin(context, to === "full" ? holdWrites : releaseWrites, subject, input);
  return [moveDatabase(context, row, row.state), operation.statement];
}
