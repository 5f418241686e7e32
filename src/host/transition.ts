import { eq, sql } from "drizzle-orm";
import { type Statement, violatedConstraint } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { host } from "./table.ts";

/**
 * Notes up to which of a host's transitions the rows of its databases were brought. The whole
 * batch aborts when somebody has brought them on from `from` meanwhile: NOT NULL makes it so.
 */
export function moveTransitionSeq(
  context: Context,
  hostId: string,
  from: number,
  to: number,
): Statement {
  return context.db
    .update(host)
    .set({
      transitionSeq: sql`case when transition_seq = ${from} then ${to} end`,
      updatedAt: context.now(),
    })
    .where(eq(host.id, hostId));
}

/** Whether a batch was aborted because somebody else moved the number. */
export function isMovedBySomebody(error: unknown): boolean {
  return violatedConstraint(error) === "host.transition_seq";
}
