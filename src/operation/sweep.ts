import { and, inArray, lt } from "drizzle-orm";
import type { Context } from "../core/context.ts";
import { operation } from "./table.ts";

// A lane that is being driven right now needs no second nudge.
const graceSeconds = 5;
const lanesMax = 50;

/** Nudges lanes whose work is overdue: their nudge was lost, or their runner was. */
export async function sweep(context: Context): Promise<number> {
  const overdue = new Date(context.now().getTime() - graceSeconds * 1000);
  const lanes = await context.db
    .selectDistinct({ lane: operation.lane })
    .from(operation)
    .where(
      and(
        inArray(operation.status, ["pending", "running", "unwinding"]),
        lt(operation.runAfter, overdue),
        lt(operation.updatedAt, overdue),
      ),
    )
    .limit(lanesMax);
  for (const { lane } of lanes) await context.nudge(lane);
  return lanes.length;
}
