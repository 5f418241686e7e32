// An archive somebody sends, in the place of a database's content: a restore in place like any
// other, so that a failed one changes nothing and a good one can be undone.
import type { Context } from "../core/context.ts";
import type { DatabaseRow } from "../database/table.ts";
import { keepDump } from "../dump/change.ts";
import { forgetReceived, receiveDump } from "../dump/receive.ts";
import { commitExclusively } from "../operation/find.ts";
import { beginRestoreInPlace } from "./in-place.ts";

/**
 * Has the archive kept, then begins to load it.
 * @throws ApiError 409 OPERATION_IN_PROGRESS, 413, 422, 503
 */
export async function importArchive(
  context: Context,
  row: DatabaseRow,
  content: ReadableStream<Uint8Array>,
  requestId: string,
): Promise<string> {
  const { dumpId, stored } = await receiveDump(context, row, content);
  const target = {
    request: { database: row.databaseName, dump_id: dumpId },
    source: "import",
    backupLabel: null,
    words: `an archive of ${stored.size_bytes} bytes, sha256 ${stored.sha256}`,
  } as const;
  const { restoreId, statements } = beginRestoreInPlace(context, row, target, requestId);
  try {
    const kept = keepDump(context, dumpId, stored);
    await commitExclusively(context, [row.id], [kept, ...statements]);
  } catch (error) {
    await forgetReceived(context, dumpId, "Another operation was first.");
    throw error;
  }
  return restoreId;
}
