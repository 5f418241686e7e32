import { and, asc, lt } from "drizzle-orm";
import type { Context } from "../core/context.ts";
import { isActive, operation } from "./table.ts";

// A lane that is being driven right now needs no second nudge.
const graceSeconds = 5;
// Each nudge is a call of its own, and a cron run may make a thousand of them.
const lanesMax = 200;
const nudgesAtOnce = 20;
const minuteMilliseconds = 60_000;

/**
 * Nudges lanes whose work is overdue: their nudge was lost, or their runner was. A flood is swept
 * in parts, another one each minute, so that lanes which never come right hold up none.
 */
export async function sweep(context: Context): Promise<number> {
  const lanes = await overdueLanes(context);
  const turn = Math.floor(context.now().getTime() / minuteMilliseconds);
  const parts = Math.max(1, Math.ceil(lanes.length / lanesMax));
  const from = (turn % parts) * lanesMax;
  const part = lanes.slice(from, from + lanesMax);
  for (let at = 0; at < part.length; at += nudgesAtOnce) {
    await Promise.all(part.slice(at, at + nudgesAtOnce).map((lane) => context.nudge(lane)));
  }
  return part.length;
}

// Names alone, so that even ten thousand are one small answer.
async function overdueLanes(context: Context): Promise<string[]> {
  const rows = await context.db
    .selectDistinct({ lane: operation.lane })
    .from(operation)
    .where(isOverdue(context, graceSeconds))
    .orderBy(asc(operation.lane));
  return rows.map(({ lane }) => lane);
}

/** True for work that was due `seconds` ago and has not been looked at since. */
export function isOverdue(context: Pick<Context, "now">, seconds: number) {
  const since = new Date(context.now().getTime() - seconds * 1000);
  return and(isActive, lt(operation.runAfter, since), lt(operation.updatedAt, since));
}
