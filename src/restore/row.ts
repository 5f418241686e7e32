import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import type { DatabaseRow } from "../database/table.ts";
import { recordEvent } from "../webhook/event.ts";
import { type RestoreRow, restore } from "./table.ts";
import type { ResolvedTarget } from "./target.ts";

/** What a new restore is, beyond its source and its target. */
export interface NewRestore extends Pick<RestoreRow, "id" | "databaseId" | "operationId" | "mode"> {
  /** Whose it is, when what it makes is not of its source's project. */
  readonly owner?: Pick<RestoreRow, "organizationId" | "workspaceId" | "projectId">;
  /** What only its mode has. */
  readonly own?: Partial<typeof restore.$inferInsert>;
}

/** A new restore's row, and the event that it was begun, for the batch that begins it. */
export function newRestore(
  context: Context,
  source: DatabaseRow,
  { source: madeFrom, backupLabel, words, previewId }: ResolvedTarget,
  { id, databaseId, operationId, mode, owner = source, own = {} }: NewRestore,
): Statement[] {
  const { organizationId, workspaceId, projectId } = owner;
  const whose = { organizationId, workspaceId, projectId };
  const now = context.now();
  const insert = context.db.insert(restore).values({
    ...{ id, ...whose, sourceDatabaseId: source.id, databaseId, hostId: source.hostId },
    ...{ operationId, mode, state: "pending", source: madeFrom, backupLabel },
    ...{ requestedTarget: words, previewId, createdAt: now, updatedAt: now },
    ...own,
  });
  const data = { mode, database_id: databaseId, source_database_id: source.id };
  const subject = { ...source, ...whose, id };
  return [insert, recordEvent(context, "restore.created", subject, { operationId, data })];
}
