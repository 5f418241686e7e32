import {
  and,
  asc,
  eq,
  exists,
  gt,
  isNotNull,
  isNull,
  lt,
  notExists,
  or,
  type SQL,
  sql,
} from "drizzle-orm";
import { alias } from "drizzle-orm/sqlite-core";
import { commit, violatedConstraint } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { laneOf } from "../database/create.ts";
import { loadDatabase } from "../database/load.ts";
import { database } from "../database/table.ts";
import { activeOperations } from "../operation/find.ts";
import { beginForget } from "./in-place.ts";
import { beginEndPreview, isStanding } from "./preview.ts";
import { changeRestore } from "./recover.ts";
import { type RestoreRow, restore } from "./table.ts";

const perRun = 20;

/** Begins to remove what restores in place put aside more than a week ago. */
export async function forgetFormers(context: Context): Promise<void> {
  const due = await context.db
    .select()
    .from(restore)
    .where(
      and(
        eq(restore.mode, "in_place"),
        lt(restore.asideUntil, context.now()),
        isNotNull(restore.asideInstance),
      ),
    )
    .orderBy(asc(restore.asideUntil))
    .limit(perRun);
  for (const { id, databaseId, asideInstance } of due) {
    if (asideInstance === null) continue;
    const { row } = await loadDatabase(context, databaseId);
    const isBusy = (await activeOperations(context, [`${row.id}/${asideInstance}`])).size > 0;
    if (isBusy) continue;
    await commit(context, [beginForget(context, row, { id, asideInstance }).statement]);
    await context.nudge(laneOf(row.projectId));
  }
}

/**
 * Begins to end previews whose time is over, whose database was deleted after they were begun, or
 * which their host has lost. One that is being promoted stands until that is over.
 */
export async function endPreviews(context: Context): Promise<void> {
  const over = await standing(
    context,
    or(lt(restore.expiresAt, context.now()), isSourceGone(context)),
  );
  for (const row of over) await end(context, row, null);
  const ids = new Set(over.map(({ id }) => id));
  for (const row of await standing(context)) {
    if (!ids.has(row.id) && (await isLost(context, row))) await end(context, row, lost);
  }
}

const lost = "The preview ended with the servers of its host; restore anew for another.";

function standing(context: Context, which?: SQL) {
  const promotion = alias(restore, "promotion");
  const isPromoted = context.db
    .select({ one: sql`1` })
    .from(promotion)
    .where(
      and(eq(promotion.previewId, restore.id), sql`promotion.state in ('pending', 'running')`),
    );
  return context.db
    .select()
    .from(restore)
    .where(
      and(
        isNotNull(restore.previewSlot),
        eq(restore.state, "succeeded"),
        isNull(restore.endedAt),
        notExists(isPromoted),
        which,
      ),
    )
    .orderBy(asc(restore.expiresAt))
    .limit(perRun);
}

function isSourceGone(context: Context) {
  return exists(
    context.db
      .select({ one: sql`1` })
      .from(database)
      .where(
        and(eq(database.id, restore.sourceDatabaseId), gt(database.deletedAt, restore.createdAt)),
      ),
  );
}

async function isLost(context: Context, row: RestoreRow): Promise<boolean> {
  try {
    return !(await isStanding(context, row));
  } catch {
    // A silent host says nothing about it.
    return false;
  }
}

async function end(context: Context, row: RestoreRow, errorMessage: string | null) {
  const told = errorMessage === null ? [] : [changeRestore(context, row.id, { errorMessage })];
  try {
    await commit(context, [beginEndPreview(context, row, null).statement, ...told]);
  } catch (error) {
    // Its end has been begun already.
    if (violatedConstraint(error) === null) throw error;
    return;
  }
  await context.nudge(laneOf(row.projectId));
}
