import type { Context } from "../core/context.ts";
import { driveMilliseconds } from "../core/route.ts";
import { commitExclusively } from "../operation/find.ts";
import { laneOf } from "./create.ts";
import { beginDestroy } from "./destroy.ts";
import type { PlacedDatabase } from "./find.ts";
import { loadDatabase } from "./load.ts";
import type { DatabaseRow } from "./table.ts";

/**
 * Deletes a database; null when it is gone, else how it is after two seconds.
 * @throws ApiError 409 DELETION_PROTECTED or OPERATION_IN_PROGRESS
 */
export async function deleteDatabase(
  context: Context,
  row: DatabaseRow,
  requestId: string,
): Promise<(PlacedDatabase & { readonly operationId: string }) | null> {
  const { operationId, statements } = beginDestroy(context, row, requestId);
  await commitExclusively(context, [row.id], statements);
  await context.drive(laneOf(row.projectId), driveMilliseconds);
  const after = await loadDatabase(context, row.id);
  return after.row.state === "purged" ? null : { ...after, operationId };
}
