// Events of backups of single databases.
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { loadDatabase } from "../database/load.ts";
import { type EventFacts, type EventType, recordEvent } from "../webhook/event.ts";
import { dumpName } from "./name.ts";

type BackupEvent = Extract<EventType, `backup.${string}`>;

/** Facts of every event of a backup. */
export function backupFacts(dumpId: string, databaseId: string) {
  return { backup_id: dumpName(dumpId), database_id: databaseId };
}

/** The event of a backup, for the batch of the change it tells of. */
// A list, as a statement is run by whoever awaits it.
export async function tellBackup(
  context: Context,
  type: BackupEvent,
  { dumpId, databaseId }: { readonly dumpId: string; readonly databaseId: string },
  { data: facts = {}, operationId = null }: EventFacts = {},
): Promise<Statement[]> {
  const { row } = await loadDatabase(context, databaseId);
  const data = { ...backupFacts(dumpId, databaseId), ...facts };
  return [recordEvent(context, type, { ...row, id: dumpId }, { operationId, data })];
}
