// Events of restores: whoever follows one need not ask again and again.
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { loadDatabase } from "../database/load.ts";
import { type EventFacts, type EventType, recordEvent } from "../webhook/event.ts";
import { findRestoreRow } from "./find.ts";

type RestoreEvent = Extract<EventType, `restore.${string}`>;

/** The event that a restore has ended, for the batch that ends it. */
// A list, as a statement is run by whoever awaits it.
export async function tellRestore(
  context: Context,
  type: RestoreEvent,
  restoreId: string,
  facts: EventFacts["data"] = {},
): Promise<Statement[]> {
  const row = await findRestoreRow(context, restoreId);
  const { row: source } = await loadDatabase(context, row.sourceDatabaseId);
  const { id, organizationId, workspaceId, projectId, operationId, mode, databaseId } = row;
  const subject = { ...source, id, organizationId, workspaceId, projectId };
  const data = { mode, database_id: databaseId, source_database_id: source.id, ...facts };
  return [recordEvent(context, type, subject, { operationId, data })];
}
