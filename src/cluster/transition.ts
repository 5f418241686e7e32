import { eq } from "drizzle-orm";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { cluster } from "./table.ts";

/** Notes up to which of a host's transitions the rows of its databases were brought. */
export function setTransitionSeq(context: Context, clusterId: string, seq: number): Statement {
  return context.db
    .update(cluster)
    .set({ transitionSeq: seq, updatedAt: context.now() })
    .where(eq(cluster.id, clusterId));
}
