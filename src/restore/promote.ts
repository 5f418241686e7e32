import { eq } from "drizzle-orm";
import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { notFound } from "../core/error.ts";
import { findRecoverable } from "../database/find.ts";
import { permit } from "../database/permit.ts";
import { refuseBusy } from "../operation/find.ts";
import { operation } from "../operation/table.ts";
import { beginRestoreInPlace } from "./in-place.ts";
import { type PlaceReference, placeOf } from "./place.ts";
import { PreviewInput, previewNotOpen, promotionOf } from "./preview.ts";
import { beginRestoreNew } from "./restore-new.ts";
import type { RestoreRow } from "./table.ts";
import type { ResolvedTarget } from "./target.ts";

/**
 * Begins to make a preview a new database, or its source's content: what it shows takes no writes,
 * so that the same moment is recovered once more. The preview ends when that has succeeded; until
 * then it can be read.
 * @throws ApiError 409 PREVIEW_NOT_OPEN, OPERATION_IN_PROGRESS or INVALID_STATE; 422 as `placeOf`.
 */
export async function beginPromotion(
  caller: { readonly context: Context; readonly actor: Actor; readonly requestId: string },
  row: RestoreRow,
  { mode, ...place }: PlaceReference & { readonly mode: "new" | "in_place" },
) {
  const { context, actor, requestId } = caller;
  const isOpen = row.mode === "preview" && row.state === "succeeded" && row.endedAt === null;
  if (!isOpen) throw previewNotOpen(row);
  if ((await promotionOf(context, row)) !== null) throw refuseBusy(undefined);
  const { row: source } = await findRecoverable(context, actor, row.sourceDatabaseId);
  const target = await targetOf(context, row);
  if (mode === "in_place") {
    await permit(context, source, "restore");
    return beginRestoreInPlace(context, source, target, requestId);
  }
  const where = await placeOf(caller, source, place);
  return beginRestoreNew(context, source, target, where, requestId);
}

async function targetOf(context: Context, row: RestoreRow): Promise<ResolvedTarget> {
  const [begun] = await context.db
    .select({ input: operation.input })
    .from(operation)
    .where(eq(operation.id, row.operationId));
  if (begun === undefined) throw notFound("operation");
  const { request } = PreviewInput.parse(begun.input);
  const { source, backupLabel, requestedTarget: words } = row;
  return { request, source, backupLabel, words, previewId: row.id };
}
