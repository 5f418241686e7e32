import { eq } from "drizzle-orm";
import { commit } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { conflict } from "../core/error.ts";
import { ask } from "../host/ask.ts";
import { type DumpRow, dump } from "./table.ts";
import { tellBackup } from "./tell.ts";

/** Takes the archive away, then its row; a crash between leaves what the expiry comes back to. */
export async function removeDump(context: Context, row: DumpRow): Promise<void> {
  const { id: dumpId, hostId, databaseId, origin } = row;
  const told =
    origin === "taken" ? await tellBackup(context, "backup.deleted", { dumpId, databaseId }) : [];
  await context.host.command(hostId, "dump.remove", { dump_id: dumpId });
  await commit(context, [context.db.delete(dump).where(eq(dump.id, dumpId)), ...told]);
}

/** The same for a caller. @throws ApiError 409 while it is being made, 503 */
export async function deleteDump(context: Context, row: DumpRow): Promise<void> {
  if (row.state === "pending" || row.state === "running") {
    const message = "The backup is being made; cancel its operation instead.";
    throw conflict("INVALID_STATE", message, { operation_id: row.operationId, state: row.state });
  }
  await ask(() => removeDump(context, row));
}
