// The steps every restore shares: recovering beside the live databases, loading, cleaning up.
import { eq } from "drizzle-orm";
import { z } from "zod";
import type { Statement } from "../core/batch.ts";
import type { ClusterRecovery, LoadTarget } from "../core/cluster-port.ts";
import type { Context } from "../core/context.ts";
import { TerminalError } from "../core/error.ts";
import { next, type Outcome, waitFor } from "../operation/define.ts";
import { type RestoreRow, restore } from "./table.ts";

/** What to recover, as an operation keeps it. */
export const Recovering = z.object({
  restoreId: z.string(),
  clusterId: z.string(),
  request: z.union([
    z.object({
      database_oid: z.number(),
      target: z.union([
        z.object({ time: z.string() }),
        z.object({ name: z.string(), at: z.string() }),
        z.object({ backup: z.string() }),
      ]),
    }),
    z.object({ dump_id: z.string() }),
  ]),
});
export type Recovering = z.infer<typeof Recovering>;

const lookSeconds = 0.2;

/** Changes a restore's row. */
export function changeRestore(
  context: Context,
  restoreId: string,
  change: Partial<RestoreRow>,
): Statement {
  return context.db
    .update(restore)
    .set({ ...change, updatedAt: context.now() })
    .where(eq(restore.id, restoreId));
}

/** Has the cluster recover; comes back until it is at the target. A lost one is begun again. */
export async function recover(context: Context, input: Recovering): Promise<Outcome> {
  const { clusterId, restoreId, request } = input;
  const found = await context.cluster.recovery(clusterId, restoreId);
  if (found === null) {
    await context.cluster.startRecovery(clusterId, restoreId, request);
    return waitFor(lookSeconds, changeRestore(context, restoreId, { state: "running" }));
  }
  if (found.state === "failed") {
    throw new TerminalError("RECOVERY_FAILED", found.error ?? "The recovery failed.");
  }
  const told = changeRestore(context, restoreId, progressOf(found));
  return found.state === "ready" ? next(told) : waitFor(lookSeconds, told);
}

function progressOf(found: ClusterRecovery): Partial<RestoreRow> {
  return {
    reachedAt: found.reached_at,
    evidence: found.evidence,
    // A dump has its name from the beginning.
    ...(found.backup_label === null ? {} : { backupLabel: found.backup_label }),
    bytesTotal: found.bytes_total,
    stepMilliseconds: found.step_milliseconds,
  };
}

/** Has what was recovered loaded; comes back until it is. */
export async function loadInto(
  context: Context,
  { clusterId, restoreId }: Recovering,
  target: () => Promise<LoadTarget>,
): Promise<Outcome> {
  const found = await context.cluster.recovery(clusterId, restoreId);
  if (found === null) throw new TerminalError("RECOVERY_LOST", "The host lost the recovery.");
  if (found.load === null) {
    await context.cluster.loadRecovery(clusterId, restoreId, await target());
    return waitFor(lookSeconds);
  }
  if (found.load.state === "running") return waitFor(lookSeconds);
  if (found.load.state === "succeeded") return next();
  throw new TerminalError("LOAD_FAILED", found.load.error ?? "What was recovered did not load.");
}
