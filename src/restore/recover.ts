// The steps every restore shares: recovering beside the live databases, loading, cleaning up.
import { eq } from "drizzle-orm";
import { z } from "zod";
import { damageAlerts } from "../backup/damage.ts";
import type { TenantLogin } from "../contract/login.ts";
import type { RecoveryReport } from "../contract/recovery.ts";
import { commit, type Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { TerminalError } from "../core/error.ts";
import { next, type Outcome, waitFor } from "../operation/define.ts";
import { type RestoreRow, restore } from "./table.ts";
import { tellRestore } from "./tell.ts";

/** What to recover, as an operation keeps it. */
export const Recovering = z.object({
  restoreId: z.string(),
  /** The preview whose recovery it is, unless it has one of its own. */
  previewId: z.string().optional(),
  hostId: z.string(),
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

/** Has the host recover; comes back until it is at the target. A lost one is begun again. */
export async function recover(context: Context, input: Recovering): Promise<Outcome> {
  const { hostId, restoreId, request } = input;
  const recoveryId = recoveryIdOf(input);
  const found = await context.host.recovery(hostId, recoveryId);
  if (found === null) {
    await context.host.startRecovery(hostId, recoveryId, request);
    return waitFor(lookSeconds, changeRestore(context, restoreId, { state: "running" }));
  }
  const isOver = found.state === "ready" || found.state === "failed";
  const alerts = isOver ? damageAlerts(context, hostId, found.passed_over) : [];
  if (found.state === "failed") {
    const passedOver = found.passed_over;
    await commit(context, [...alerts, changeRestore(context, restoreId, { passedOver })]);
    throw new TerminalError("RECOVERY_FAILED", found.error ?? "The recovery failed.");
  }
  const told = changeRestore(context, restoreId, { state: "running", ...progressOf(found) });
  return found.state === "ready" ? next(told, ...alerts) : waitFor(lookSeconds, told);
}

function progressOf(found: RecoveryReport): Partial<RestoreRow> {
  return {
    reachedAt: found.reached_at,
    evidence: found.evidence,
    // A dump has its name from the beginning.
    ...(found.backup_label === null ? {} : { backupLabel: found.backup_label }),
    method: found.method,
    repository: found.repository,
    passedOver: found.passed_over,
    bytesTotal: found.bytes_total,
    stepMilliseconds: found.step_milliseconds,
    progress: {
      step: found.load === null ? found.step : "load",
      position: found.position,
      bytes_restored: found.bytes_restored,
      start_lsn: found.start_lsn,
      replayed_lsn: found.replayed_lsn,
    },
  };
}

/** Has what was recovered loaded into a database; comes back until it is. */
export async function loadInto(
  context: Context,
  input: Recovering,
  database: string,
  login: () => Promise<Omit<TenantLogin, "database">>,
): Promise<Outcome> {
  const { hostId, restoreId } = input;
  const recoveryId = recoveryIdOf(input);
  const found = await context.host.recovery(hostId, recoveryId);
  if (found === null) throw new TerminalError("RECOVERY_LOST", "The host lost the recovery.");
  const { load } = found;
  const told = changeRestore(context, restoreId, progressOf(found));
  if (load?.state === "running") return waitFor(lookSeconds, told);
  // A preview may have been loaded before, for a restore that failed.
  if (load?.database !== database) {
    await context.host.loadRecovery(hostId, recoveryId, { database, ...(await login()) });
    return waitFor(lookSeconds);
  }
  if (load.state === "succeeded") return next(told);
  throw new TerminalError("LOAD_FAILED", load.error ?? "What was recovered did not load.");
}

function recoveryIdOf({ restoreId, previewId }: Recovering): string {
  return previewId ?? restoreId;
}

/** Ends the recovery of a restore that failed, but for a preview's, which stands as before. */
export async function giveUpRecovery(context: Context, input: Recovering): Promise<void> {
  if (input.previewId !== undefined) return;
  await context.host.endRecovery(input.hostId, input.restoreId);
}

/** Ends the recovery of a restore that succeeded, and with it the preview it came from. */
export async function finishRecovery(context: Context, input: Recovering): Promise<Statement[]> {
  await context.host.endRecovery(input.hostId, recoveryIdOf(input));
  const change = { state: "succeeded", finishedAt: context.now() } as const;
  return [
    changeRestore(context, input.restoreId, change),
    ...(await tellRestore(context, "restore.succeeded", input.restoreId)),
    ...(input.previewId === undefined
      ? []
      : [changeRestore(context, input.previewId, previewOver(context))]),
  ];
}

/** What a preview's row is once nobody can reach it. */
export function previewOver(context: Context): Partial<RestoreRow> {
  return { endedAt: context.now(), previewSlot: null, passwordSealed: null };
}
