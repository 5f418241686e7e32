// Has a host take a base backup, and then forget what no window needs any more.
import { eq } from "drizzle-orm";
import { z } from "zod";
import type { Context } from "../core/context.ts";
import { TerminalError } from "../core/error.ts";
import { newId } from "../core/id.ts";
import { holdOf } from "../hold/find.ts";
import { begin, type Do, defineOperation, next, type Undo, waitFor } from "../operation/define.ts";
import { operator } from "../operation/table.ts";
import { type BaseBackupRow, baseBackup } from "./table.ts";

const TakeInput = z.object({
  backupId: z.string(),
  hostId: z.string(),
  type: z.enum(["full", "incr"]),
});
type TakeInput = z.infer<typeof TakeInput>;

const lookSeconds = 2;

const start: Do<TakeInput> = async (context, { input }) => {
  await context.host.startBaseBackup(input.hostId, input.backupId, input.type);
  return next();
};

const finish: Do<TakeInput> = async (context, { input }) => {
  const taken = await context.host.baseBackup(input.hostId, input.backupId);
  if (taken?.state === "running") return waitFor(lookSeconds);
  if (taken?.state !== "succeeded") {
    throw new TerminalError("BACKUP_FAILED", taken?.error ?? "The host knows nothing of it.");
  }
  return next(end(context, input, "succeeded"));
};

const fail: Undo<TakeInput> = async (context, { input }) => [end(context, input, "failed")];

const expire: Do<TakeInput> = async (context, { input }) => {
  if ((await holdOf(context)) === null) await context.host.expireBackups(input.hostId);
  return next();
};

function end(context: Context, { backupId }: TakeInput, state: BaseBackupRow["state"]) {
  const now = context.now();
  return context.db
    .update(baseBackup)
    .set({ state, endedAt: now, updatedAt: now })
    .where(eq(baseBackup.id, backupId));
}

/** `host.base_backup`: taken, then what no window needs is taken away. */
export const takeBaseBackup = defineOperation<TakeInput>({
  name: "host.base_backup",
  input: TakeInput,
  deadlineMinutes: 6 * 60,
  attemptsMax: 20,
  steps: {
    start: { do: start, undo: fail },
    finish: { do: finish },
    expire: { do: expire },
  },
});

/** Begins a base backup of a host; a second active one aborts the batch. */
export function beginBaseBackup(
  context: Context,
  hostId: string,
  type: BaseBackupRow["type"],
  walBytes: number,
) {
  const backupId = newId(context);
  const now = context.now();
  const operation = begin(
    context,
    takeBaseBackup,
    {
      lane: `host:${hostId}`,
      organizationId: operator,
      workspaceId: null,
      projectId: null,
      resourceId: hostId,
    },
    { backupId, hostId, type },
  );
  const row = { id: backupId, hostId, type, state: "running" as const, walBytes };
  const insert = context.db.insert(baseBackup).values({ ...row, createdAt: now, updatedAt: now });
  return { operationId: operation.id, statements: [insert, operation.statement] };
}
