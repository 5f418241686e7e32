// Has a host take a base backup of one database now, beside those it takes by itself.
import { z } from "zod";
import type { Context } from "../core/context.ts";
import { NothingDone, unlessRefused } from "../core/error.ts";
import { newId } from "../core/id.ts";
import { laneOf } from "../database/create.ts";
import { loadDatabase } from "../database/load.ts";
import type { DatabaseRow } from "../database/table.ts";
import { begin, type Do, defineOperation, next, waitFor } from "../operation/define.ts";

/** Kinds of base backups: all of a database, or what has changed since the last one. */
export const backupTypes = ["full", "incr"] as const;

/** One kind of base backup. */
export type BackupType = (typeof backupTypes)[number];

const TakeInput = z.object({
  backupId: z.string(),
  databaseId: z.string(),
  type: z.enum(backupTypes),
});
type TakeInput = z.infer<typeof TakeInput>;

const lookSeconds = 2;

async function ask(context: Context, { backupId: backup_id, databaseId, type }: TakeInput) {
  const { row } = await loadDatabase(context, databaseId);
  const order = { database: row.databaseName, backup_id, type };
  await context.host.command(row.hostId, "base_backup.start", order);
}

const start: Do<TakeInput> = async (context, { input }) => {
  await ask(context, input);
  return next();
};

const finish: Do<TakeInput> = async (context, { input }) => {
  const { row } = await loadDatabase(context, input.databaseId);
  const which = { database: row.databaseName, backup_id: input.backupId };
  const asked = context.host.command(row.hostId, "base_backup.status", which);
  const found = await unlessRefused("unknown_backup", asked);
  // The host was restarted meanwhile and has forgotten it.
  if (found === null) {
    await ask(context, input);
    return waitFor(lookSeconds);
  }
  if (found.state === "running") return waitFor(lookSeconds);
  if (found.state === "succeeded") return next();
  throw new NothingDone("BACKUP_FAILED", found.error ?? "The host gave no reason.");
};

/** `database.base_backup`: taken by the host; what it holds is not written again. */
export const takeBaseBackup = defineOperation<TakeInput>({
  name: "database.base_backup",
  input: TakeInput,
  deadlineMinutes: 6 * 60,
  attemptsMax: 20,
  // A host does not stop one that it takes.
  pointOfNoReturn: "start",
  steps: { start: { do: start }, finish: { do: finish } },
});

/** What a base backup's operation works on: one at a time of a database, beside anything else. */
export function baseBackupResource(databaseId: string): string {
  return `${databaseId}/base_backup`;
}

/** Begins a base backup of a database; a second active one aborts the batch. */
export function beginBaseBackup(
  context: Context,
  { id: databaseId, organizationId, workspaceId, projectId }: DatabaseRow,
  type: BackupType,
  requestId: string | null,
) {
  const subject = {
    ...{ organizationId, workspaceId, projectId, requestId },
    lane: laneOf(projectId),
    resourceId: baseBackupResource(databaseId),
  };
  const input = { backupId: newId(context), databaseId, type };
  return begin(context, takeBaseBackup, subject, input);
}
