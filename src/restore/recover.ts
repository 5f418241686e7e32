// The steps every restore shares: recovering beside the live instance, and the end of it.
import { eq } from "drizzle-orm";
import { z } from "zod";
import { damageAlerts } from "../backup/damage.ts";
import type { HostCommandReport } from "../contract/command.ts";
import { RecoveryRequest } from "../contract/recovery.ts";
import { commit, type Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { HostRefusal, NothingDone, TerminalError, unlessRefused } from "../core/error.ts";
import { next, type Outcome, waitFor } from "../operation/define.ts";
import { type RestoreRow, restore } from "./table.ts";
import { tellRestore } from "./tell.ts";

/** What to recover, as an operation keeps it. */
export const Recovering = z.object({
  restoreId: z.string(),
  /** The preview it was promoted from, which ends when it has succeeded. */
  previewId: z.string().optional(),
  hostId: z.string(),
  /** The database that is recovered; what is found damaged is told by it. */
  sourceDatabaseId: z.string(),
  request: RecoveryRequest,
});
export type Recovering = z.infer<typeof Recovering>;

const lookSeconds = 0.2;
// A refusal that is still there after so many tries is the host's last word.
const refusalsMax = 5;

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

/** What a recovery has come to; null when its host knows none of that id. */
export function recoveryOf(context: Context, hostId: string, recoveryId: string) {
  const asked = context.host.command(hostId, "recovery.status", { recovery_id: recoveryId });
  return unlessRefused("unknown_recovery", asked);
}

/**
 * Has the host recover; comes back until it is at the target. A lost one is begun again. `purpose`
 * says whether what is recovered takes writes.
 * @throws TerminalError with the host's words
 */
export async function recover(
  context: Context,
  { input, attempt }: { readonly input: Recovering; readonly attempt: number },
  purpose: "preview" | "restore",
): Promise<Outcome> {
  const { hostId, restoreId, request } = input;
  const found = await recoveryOf(context, hostId, restoreId);
  if (found === null) {
    const order = { recovery_id: restoreId, request, for: purpose };
    await heeded(attempt, context.host.command(hostId, "recovery.start", order));
    return waitFor(lookSeconds, changeRestore(context, restoreId, { state: "running" }));
  }
  const isOver = found.state === "ready" || found.state === "failed";
  const alerts = isOver ? damageAlerts(context, input, found.passed_over) : [];
  if (found.state === "failed") {
    const passedOver = found.passed_over;
    await commit(context, [...alerts, changeRestore(context, restoreId, { passedOver })]);
    throw new TerminalError("RECOVERY_FAILED", found.error ?? "The recovery failed.");
  }
  const told = changeRestore(context, restoreId, {
    state: "running",
    ...progressOf(found, request),
  });
  return found.state === "ready" ? next(told, ...alerts) : waitFor(lookSeconds, told);
}

function progressOf(
  found: HostCommandReport<"recovery.status">,
  request: Recovering["request"],
): Partial<RestoreRow> {
  const { backup_label: label } = found;
  return {
    reachedAt: found.reached_at,
    evidence: found.evidence,
    // A dump has its name from the beginning.
    ...(label === null || "dump_id" in request ? {} : { backupLabel: label }),
    repository: found.repository,
    passedOver: found.passed_over,
    bytesTotal: found.bytes_total,
    stepMilliseconds: found.step_milliseconds,
    progress: {
      step: found.step,
      position: found.position,
      bytes_restored: found.bytes_restored,
      start_lsn: found.start_lsn,
      replayed_lsn: found.replayed_lsn,
    },
  };
}

/**
 * What a host makes of a recovery that is ready; null when it was restarted since and has lost it,
 * so that it is to be begun again.
 * @throws NothingDone as `heeded`
 */
export function unlessLost<Result>(attempt: number, asked: Promise<Result>) {
  return heeded(attempt, unlessRefused("unknown_recovery", asked));
}

/**
 * What a host answers to something that cannot be taken back.
 * @throws NothingDone with the host's own words, for what it refuses for good
 */
export async function heeded<Result>(attempt: number, asked: Promise<Result>): Promise<Result> {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof HostRefusal)) throw error;
    const isTried = attempt >= refusalsMax || final.includes(error.code);
    if (error.status >= 500 || !isTried) throw error;
    throw new NothingDone(error.code.toUpperCase(), error.words, error);
  }
}

// A name that is taken stays so; what only waits for something else passes.
const final: readonly string[] = ["table_exists", "unknown_table", "no_schema", "unknown_instance"];

/** Ends a recovery, whatever it does; what serves by now, or was put aside, stays. */
export async function endRecovery(context: Context, hostId: string, recoveryId: string) {
  await context.host.command(hostId, "recovery.end", { recovery_id: recoveryId });
}

/** The statements that a restore has failed, and why. */
export async function tellFailure(
  context: Context,
  restoreId: string,
  reason: string | null,
): Promise<Statement[]> {
  const change = { state: "failed", errorMessage: reason, finishedAt: context.now() } as const;
  return [
    changeRestore(context, restoreId, change),
    ...(await tellRestore(context, "restore.failed", restoreId, { reason })),
  ];
}

/** Ends the recovery of a restore that succeeded, and with it the preview it came from. */
export async function finishRecovery(
  context: Context,
  { hostId, restoreId, previewId }: Recovering,
): Promise<Statement[]> {
  await endRecovery(context, hostId, restoreId);
  if (previewId !== undefined) await endRecovery(context, hostId, previewId);
  const change = { state: "succeeded", finishedAt: context.now() } as const;
  return [
    changeRestore(context, restoreId, change),
    ...(await tellRestore(context, "restore.succeeded", restoreId)),
    ...(previewId === undefined ? [] : [changeRestore(context, previewId, previewOver(context))]),
  ];
}

/** What a preview's row is once nobody can reach it. */
export function previewOver(context: Context): Partial<RestoreRow> {
  return { endedAt: context.now(), previewSlot: null, passwordSealed: null };
}
