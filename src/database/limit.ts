// Limits other than the published ones: a plan's for an organization and a size, an operator's for
// one database. A plan is the organization's; its databases follow, each by an operation.
import { and, asc, inArray, ne } from "drizzle-orm";
import { planLimitsOf } from "../account/plan.ts";
import { commit, violatedConstraint } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { beginConfigure } from "./configure.ts";
import { laneOf } from "./create.ts";
import type { LimitOverrides } from "./size.ts";
import { database } from "./table.ts";

const perRun = 200;

/** Begins to bring databases to their organization's plan; a busy one follows a minute later. */
export async function followPlans(context: Context): Promise<void> {
  const wanted = planLimitsOf(database.organizationId, database.size);
  const behind = await context.db
    .select({ row: database, wanted: wanted.mapWith(JSON.parse) })
    .from(database)
    .where(
      and(
        inArray(database.state, ["running", "stopped", "suspended"]),
        ne(database.planLimits, wanted),
      ),
    )
    .orderBy(asc(database.seq))
    .limit(perRun);
  for (const { row, wanted: planLimits } of behind) {
    const change = { planLimits: planLimits as LimitOverrides };
    try {
      await commit(context, beginConfigure(context, row, change, null).statements);
    } catch (error) {
      if (violatedConstraint(error) === null) throw error;
      continue;
    }
    await context.nudge(laneOf(row.projectId));
  }
}
