import { and, asc, eq, lte } from "drizzle-orm";
import { commit, violatedConstraint } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { laneOf } from "../database/create.ts";
import { purgeStatements } from "./destroy.ts";
import { project } from "./table.ts";

const perRun = 20;

/** Begins to destroy projects whose grace time is over, with what is left in them. */
export async function purgeProjects(context: Context): Promise<void> {
  const due = await context.db
    .select()
    .from(project)
    .where(and(eq(project.state, "deleted"), lte(project.purgeAt, context.now())))
    .orderBy(asc(project.purgeAt))
    .limit(perRun);
  for (const row of due) {
    try {
      await commit(context, await purgeStatements(context, row));
    } catch (error) {
      // Somebody's undelete was first, or one of its databases was.
      if (violatedConstraint(error) === null) throw error;
      continue;
    }
    await context.nudge(laneOf(row.id));
  }
}
