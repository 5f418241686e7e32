import { and, asc, eq, inArray, lte } from "drizzle-orm";
import { commit, violatedConstraint } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { laneOf } from "../database/create.ts";
import { beginExpiry } from "../database/destroy.ts";
import { verbTable } from "../database/status.ts";
import { database } from "../database/table.ts";

const perRun = 20;

// A deleted one goes by its grace time.
const states = (["running", "stopped", "suspended", "failed"] as const).filter(
  (state) => verbTable.delete[state] === "begin",
);

/**
 * Begins to destroy branches whose time is over, without a grace time; their backups stay for their
 * window, as those of any database. One that is protected from deletion stays until it is not.
 */
export async function expireBranches(context: Context): Promise<void> {
  const isOver = and(
    lte(database.expiresAt, context.now()),
    inArray(database.state, states),
    eq(database.deletionProtection, false),
  );
  const due = context.db.select().from(database).where(isOver);
  for (const row of await due.orderBy(asc(database.expiresAt)).limit(perRun)) {
    try {
      await commit(context, beginExpiry(context, row).statements);
    } catch (error) {
      // Something else is done with it, or it was promoted: the next look is in a minute.
      if (violatedConstraint(error) === null) throw error;
      continue;
    }
    await context.nudge(laneOf(row.projectId));
  }
}
