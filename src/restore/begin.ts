import type { z } from "@hono/zod-openapi";
import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { conflict, invalid } from "../core/error.ts";
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
  const { mode = "new", keep_seconds, project_id, environment, name, ...reference } = wanted;
  if (mode === "in_place") await permitInPlace(context, row);
  const target = await resolveTarget(context, row, reference);
  if (mode === "preview") {
    if ("dump_id" in target.request) {
      throw invalid("mode", "a logical backup cannot be previewed: restore it with mode new.");
    }
    const keepSeconds = keep_seconds ?? previewSeconds;
    return beginPreview(context, row, target, { keepSeconds, requestId });
  }
  if (mode === "in_place") return beginRestoreInPlace(context, row, target, requestId);
  const place = await placeOf(asker, row, { project_id, environment, name });
  return beginRestoreNew(context, row, target, place, requestId);
}

/**
 * Whether a database's content may be replaced now.
 * @throws ApiError 409 as `permit`, or STORAGE_FULL: what is loaded is written as its own login.
 */
export async function permitInPlace(context: Context, row: DatabaseRow): Promise<void> {
  await permit(context, row, "restore");
  if (row.storageState !== "full") return;
  const message = "The database is full and takes no writes; make room or resize it first.";
  throw conflict("STORAGE_FULL", message, { storage_bytes: row.storageBytes });
}
