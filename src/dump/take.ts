// Has a host dump one database. Law: a dump that is not whole is none, on the host and here.
import { z } from "zod";
import type { Context } from "../core/context.ts";
import { conflict, TerminalError, unlessRefused } from "../core/error.ts";
import { newId } from "../core/id.ts";
import { laneOf } from "../database/create.ts";
import { loadDatabase } from "../database/load.ts";
import type { DatabaseRow } from "../database/table.ts";
import { begin, type Do, defineOperation, next, type Undo, waitFor } from "../operation/define.ts";
import { recordEvent } from "../webhook/event.ts";
import { changeDump, failDump, keepDump } from "./change.ts";
import { countKept } from "./find.ts";
import { dump } from "./table.ts";
import { backupFacts, tellBackup } from "./tell.ts";

/** Dumps of one database that are kept at a time; more would be a second database's worth. */
const keptMax = 20;
/** How long one is kept, unless its caller wants it shorter. */
export const keptDays = 30;

const dayMilliseconds = 86_400_000;
const lookSeconds = 0.5;

const TakeInput = z.object({ dumpId: z.string(), databaseId: z.string(), hostId: z.string() });
type TakeInput = z.infer<typeof TakeInput>;

async function ask(context: Context, { dumpId, databaseId, hostId }: TakeInput) {
  const { row } = await loadDatabase(context, databaseId);
  const order = { dump_id: dumpId, database: row.databaseName };
  await context.host.command(hostId, "dump.start", order);
}

const start: Do<TakeInput> = async (context, { input }) => {
  await ask(context, input);
  return next(changeDump(context, input.dumpId, { state: "running" }));
};

const discard: Undo<TakeInput> = async (context, { input, failure, operationId }) => {
  await context.host.command(input.hostId, "dump.remove", { dump_id: input.dumpId });
  const reason = failure?.message ?? "It was given up.";
  return [
    failDump(context, input.dumpId, reason),
    ...(await tellBackup(context, "backup.failed", input, { operationId, data: { reason } })),
  ];
};

const finish: Do<TakeInput> = async (context, { input, operationId }) => {
  const { hostId, dumpId: dump_id } = input;
  const asked = context.host.command(hostId, "dump.status", { dump_id });
  const found = await unlessRefused("unknown_dump", asked);
  // The host was restarted meanwhile and has forgotten it, with all it had written.
  if (found === null) {
    await ask(context, input);
    return waitFor(lookSeconds);
  }
  if (found.state === "failed") {
    throw new TerminalError("BACKUP_FAILED", found.error ?? "The database could not be dumped.");
  }
  if (found.stored !== null) {
    const data = { size_bytes: found.stored.size_bytes };
    return next(
      keepDump(context, input.dumpId, found.stored),
      ...(await tellBackup(context, "backup.succeeded", input, { operationId, data })),
    );
  }
  return waitFor(lookSeconds, changeDump(context, input.dumpId, { sizeBytes: found.bytes_done }));
};

/** `database.backup`: one database as an archive, on demand; nobody waits for it meanwhile. */
export const takeDump = defineOperation<TakeInput>({
  name: "database.backup",
  input: TakeInput,
  deadlineMinutes: 6 * 60,
  attemptsMax: 20,
  steps: {
    start: { do: start, undo: discard },
    finish: { do: finish },
  },
});

/** What a dump's operation works on: one at a time of a database, beside anything else. */
export function dumpResource(databaseId: string): string {
  return `${databaseId}/backup`;
}

/**
 * Begins a dump of a database; a second active one aborts the batch.
 * @throws ApiError 409 BACKUP_LIMIT
 */
export async function beginDump(
  context: Context,
  row: DatabaseRow,
  { name, days }: { readonly name: string | null; readonly days: number },
  requestId: string | null,
) {
  if ((await countKept(context, row.id)) >= keptMax) {
    const message = `A database keeps at most ${keptMax} backups on demand; delete one first.`;
    throw conflict("BACKUP_LIMIT", message, { backups_max: keptMax });
  }
  const { organizationId, workspaceId, projectId, hostId, id: databaseId } = row;
  const dumpId = newId(context);
  const lane = laneOf(projectId);
  const whose = { organizationId, workspaceId, projectId };
  const subject = { ...whose, lane, resourceId: dumpResource(databaseId), requestId };
  const operation = begin(context, takeDump, subject, { dumpId, databaseId, hostId });
  const now = context.now();
  const insert = context.db.insert(dump).values({
    ...whose,
    id: dumpId,
    databaseId,
    hostId,
    operationId: operation.id,
    origin: "taken",
    name,
    state: "pending",
    expiresAt: new Date(now.getTime() + days * dayMilliseconds),
    createdAt: now,
    updatedAt: now,
  });
  const told = recordEvent(
    context,
    "backup.created",
    { ...row, id: dumpId },
    { operationId: operation.id, data: backupFacts(dumpId, databaseId) },
  );
  return { dumpId, operationId: operation.id, statements: [operation.statement, insert, told] };
}
