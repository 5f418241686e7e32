import type { z } from "@hono/zod-openapi";
import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { type ApiError, conflict, invalid } from "../core/error.ts";
import { driveMilliseconds } from "../core/route.ts";
import { laneOf } from "../database/create.ts";
import { findRecoverable } from "../database/find.ts";
import { permit } from "../database/permit.ts";
import type { DatabaseRow } from "../database/table.ts";
import { commitExclusively } from "../operation/find.ts";
import { findRestore } from "./find.ts";
import { beginRestoreInPlace } from "./in-place.ts";
import { placeOf } from "./place.ts";
import { beginPreview, previewSeconds } from "./preview.ts";
import { beginRestoreNew } from "./restore-new.ts";
import type { CreateRestore } from "./schema.ts";
import { beginRestoreTables } from "./tables.ts";
import { resolveTarget } from "./target.ts";

/** Whoever asks, and in which request. */
interface Asker {
  readonly context: Context;
  readonly actor: Actor;
  readonly requestId: string;
}

/**
 * Begins what a caller wants restored; the restore's id. Nothing is begun for a bad target.
 * @throws ApiError 404, 409, 422, 503
 */
export async function beginRestore(
  asker: Asker,
  databaseId: string,
  wanted: z.infer<typeof CreateRestore>,
): Promise<string> {
  const { context, actor } = asker;
  const { row } = await findRecoverable(context, actor, databaseId);
  const begun = await beginInMode(asker, row, wanted);
  await commitExclusively(context, [begun.resourceId], begun.statements);
  const { projectId } = await findRestore(context, actor, begun.restoreId);
  await context.drive(laneOf(projectId), driveMilliseconds);
  return begun.restoreId;
}

async function beginInMode(asker: Asker, row: DatabaseRow, wanted: z.infer<typeof CreateRestore>) {
  const { context, requestId } = asker;
  const { mode: named, keep_seconds, tables, project_id, environment, name, ...reference } = wanted;
  const mode = named ?? (tables === undefined ? "new" : "tables");
  if ((mode === "tables") !== (tables !== undefined)) throw tablesAlone(tables === undefined);
  if (mode === "in_place") await permit(context, row, "restore");
  if (mode === "tables") await permitTables(context, row);
  const target = await resolveTarget(context, row, reference);
  if (mode === "preview") {
    if ("dump_id" in target.request) {
      throw invalid("mode", "a logical backup cannot be previewed: restore it with mode new.");
    }
    const keepSeconds = keep_seconds ?? previewSeconds;
    return beginPreview(context, row, target, { keepSeconds, requestId });
  }
  if (mode === "in_place") return beginRestoreInPlace(context, row, target, requestId);
  if (tables !== undefined) return beginRestoreTables(context, row, target, tables, requestId);
  const place = await placeOf(asker, row, { project_id, environment, name });
  return beginRestoreNew(context, row, target, place, requestId);
}

function tablesAlone(isWithout: boolean): ApiError {
  return isWithout
    ? invalid("tables", "name the tables to bring back, or choose another mode.")
    : invalid("mode", "leave it out, or say tables: single tables come back beside the others.");
}

/**
 * Whether tables may be added to a database now.
 * @throws ApiError 409 as `permit`, INVALID_STATE while it is stopped, or STORAGE_FULL
 */
async function permitTables(context: Context, row: DatabaseRow): Promise<void> {
  await permit(context, row, "restore");
  if (row.state === "stopped") {
    const message = "The database is stopped: start it first, so that tables can be added to it.";
    throw conflict("INVALID_STATE", message, { state: row.state });
  }
  if (row.storageState !== "full") return;
  const message = "The database is full and takes no writes; make room or resize it first.";
  throw conflict("STORAGE_FULL", message, { storage_bytes: row.storageBytes });
}
