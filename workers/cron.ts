import { purgeIdempotencyKeys } from "../src/account/idempotency.ts";
import { purgeEntries } from "../src/audit/keep.ts";
import { nudgeSealers } from "../src/audit/seal.ts";
import { resolveDamage } from "../src/backup/damage.ts";
import { watchArchives, watchBackups } from "../src/backup/late.ts";
import { scheduleBackups } from "../src/backup/schedule.ts";
import { resealClusters } from "../src/cluster/reseal.ts";
import { watchClusters } from "../src/cluster/watch.ts";
import type { Context } from "../src/core/context.ts";
import { followPlans } from "../src/database/limit.ts";
import { measureStorage } from "../src/database/measure.ts";
import { purgeDeleted } from "../src/database/purge.ts";
import { reconcile } from "../src/database/reconcile.ts";
import { resealDatabases } from "../src/database/reseal.ts";
import { pullAllTransitions } from "../src/database/suspend.ts";
import { compareDumps, expireDumps } from "../src/dump/expire.ts";
import { resolveDeadNudges } from "../src/operation/alert.ts";
import { watchDeadlines } from "../src/operation/overdue.ts";
import { sweep } from "../src/operation/sweep.ts";
import { purgeProjects } from "../src/project/purge.ts";
import { scheduleVerifications } from "../src/proof/schedule.ts";
import { forgetCertificates, watchVerifications } from "../src/proof/watch.ts";
import { endPreviews, forgetFormers } from "../src/restore/expire.ts";
import { purgeWebhooks } from "../src/webhook/purge.ts";
import { resealWebhooks } from "../src/webhook/reseal.ts";
import { resolveWebhookAlerts, wakeEndpoints } from "../src/webhook/sweep.ts";
import { createContext, type Env, log } from "./context.ts";
import { registry } from "./registry.ts";

// In this order, each once a minute.
const chores: readonly ((context: Context) => Promise<unknown>)[] = [
  // Work whose nudge was lost, and work that is late.
  sweep,
  (context) => watchDeadlines(context, registry),
  resolveDeadNudges,
  // Endpoints nobody woke, and those that came right.
  wakeEndpoints,
  resolveWebhookAlerts,
  // Entries of the audit log that nobody linked.
  nudgeSealers,
  // What the clusters have against what the rows say.
  reconcile,
  // What hosts did by themselves, and what was deleted long enough ago.
  pullAllTransitions,
  measureStorage,
  purgeDeleted,
  followPlans,
  purgeProjects,
  forgetFormers,
  // Dumps that are out of date; against what hosts keep, which is a long list, now and then.
  expireDumps,
  onceAQuarter(compareDumps),
  endPreviews,
  // Base backups that are due.
  scheduleBackups,
  watchArchives,
  watchBackups,
  resolveDamage,
  // Proof that they can be restored.
  scheduleVerifications,
  watchVerifications,
  onceAQuarter(forgetCertificates),
  // What is out of date, and what a former sealing key sealed.
  purgeIdempotencyKeys,
  purgeEntries,
  resealClusters,
  resealDatabases,
  purgeWebhooks,
  resealWebhooks,
  // Looks in on each cluster, whose lane then also makes spares and clears away what a dead maker
  // left.
  watchClusters,
];

function onceAQuarter(chore: (context: Context) => Promise<unknown>) {
  return async (context: Context) => {
    if (context.now().getUTCMinutes() % 15 === 0) await chore(context);
  };
}

/** Every minute: the chores, none of which stops the others. */
export async function onCron(env: Env): Promise<void> {
  const context = await createContext(env);
  for (const chore of chores) {
    try {
      await chore(context);
    } catch (error) {
      log({ level: "error", message: error instanceof Error ? error.message : String(error) });
    }
  }
}
