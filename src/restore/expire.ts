import { and, asc, eq, isNotNull, lt } from "drizzle-orm";
import { commit } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { loadDatabase } from "../database/load.ts";
import { activeOperations } from "../operation/find.ts";
import { beginForget } from "./in-place.ts";
import { restore } from "./table.ts";

const perRun = 20;

/** Begins to drop what restores in place put aside more than a week ago. */
export async function forgetFormers(context: Context): Promise<void> {
  const due = await context.db
    .select()
    .from(restore)
    .where(
      and(
        eq(restore.mode, "in_place"),
        lt(restore.asideUntil, context.now()),
        isNotNull(restore.asideName),
      ),
    )
    .orderBy(asc(restore.asideUntil))
    .limit(perRun);
  for (const { id, databaseId, asideName } of due) {
    if (asideName === null) continue;
    const { row } = await loadDatabase(context, databaseId);
    const isBusy = (await activeOperations(context, [`${row.id}/${asideName}`])).size > 0;
    if (isBusy) continue;
    await commit(context, [beginForget(context, row, { id, asideName }).statement]);
    await context.nudge(`project:${row.projectId}`);
  }
}
