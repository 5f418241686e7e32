import { and, asc, eq, lte } from "drizzle-orm";
import { commit, violatedConstraint } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { laneOf } from "./create.ts";
import { beginPurge } from "./destroy.ts";
import { database } from "./table.ts";

const perRun = 50;

/** Begins to destroy databases whose grace time is over; an undelete that was first keeps its. */
export async function purgeDeleted(context: Context): Promise<void> {
  const due = await context.db
    .select()
    .from(database)
    .where(and(eq(database.state, "deleted"), lte(database.purgeAt, context.now())))
    .orderBy(asc(database.purgeAt))
    .limit(perRun);
  for (const row of due) {
    try {
      await commit(context, beginPurge(context, row).statements);
    } catch (error) {
      // Somebody's undelete or another purge was first.
      if (violatedConstraint(error) === null) throw error;
      continue;
    }
    await context.nudge(laneOf(row.projectId));
  }
}
