// Nudges that were delivered in vain. They carry no truth, so none is repeated from here: the sweep
// comes back to the lane, and the alert goes once nothing there is late any more.
import { and, eq, lt, ne, not, or, type SQL, sql } from "drizzle-orm";
import { raiseAlert, resolveAlerts } from "../alert/raise.ts";
import { alert } from "../alert/table.ts";
import { commit } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { isOverdue } from "./sweep.ts";
import { operation } from "./table.ts";

const lane = /^[a-z_]{1,40}:[\w/-]{1,100}$/;
// What an alert is about whose message named no lane, and how long after the last one it goes.
const unreadable = "unreadable";
const unreadableSeconds = 3600;
const lateSeconds = 60;

/** The lane a message names; null for what is no nudge: nothing may be done with it. */
export function laneIn(message: unknown): string | null {
  if (typeof message !== "object" || message === null || !("lane" in message)) return null;
  return typeof message.lane === "string" && lane.test(message.lane) ? message.lane : null;
}

/** A nudge that no delivery carried out, or a message that was none, becomes an alert. */
export async function reportDeadNudge(context: Context, message: unknown): Promise<void> {
  const found = laneIn(message);
  context.log({ level: "error", message: "A nudge was given up", lane: found });
  const raised =
    found === null
      ? {
          subject: unreadable,
          message: "A message in the queue of nudges names no lane; it was dropped.",
          details: { type: typeof message, characters: JSON.stringify(message)?.length ?? 0 },
        }
      : {
          subject: found,
          message: `Nudges of the lane ${found} fail. The cron goes on to nudge it.`,
          details: { lane: found },
        };
  await commit(context, [raiseAlert(context, { kind: "dead_nudge", ...raised })]);
}

/** Resolves the alerts of lanes in which nothing is late. */
export async function resolveDeadNudges(context: Context): Promise<void> {
  const past = new Date(context.now().getTime() - unreadableSeconds * 1000);
  const isForgotten = and(eq(alert.subject, unreadable), lt(alert.updatedAt, past));
  const isBack = and(ne(alert.subject, unreadable), not(isLate(context)));
  const isGone = or(isForgotten, isBack);
  if (isGone !== undefined) await commit(context, [resolveAlerts(context, "dead_nudge", isGone)]);
}

function isLate(context: Context): SQL {
  const ofLane = and(eq(operation.lane, alert.subject), isOverdue(context, lateSeconds));
  return sql`exists (select 1 from ${operation} where ${ofLane})`;
}
