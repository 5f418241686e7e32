import { purgeIdempotencyKeys } from "../src/account/idempotency.ts";
import { isRuntimeIncident, reportRuntime } from "../src/alert/runtime.ts";
import { purgeEntries } from "../src/audit/keep.ts";
import { nudgeSealers } from "../src/audit/seal.ts";
import { resolveDamage } from "../src/backup/damage.ts";
import { watchBackups } from "../src/backup/watch.ts";
import { expireBranches } from "../src/branch/expire.ts";
import type { Context } from "../src/core/context.ts";
import { messageOf } from "../src/core/error.ts";
import { followPlans } from "../src/database/limit.ts";
import { measureStorage } from "../src/database/measure.ts";
import { purgeDeleted } from "../src/database/purge.ts";
import { reconcile } from "../src/database/reconcile.ts";
import { resealDatabases } from "../src/database/reseal.ts";
import { checkPast } from "../src/database/spare.ts";
import { tendSpares } from "../src/database/spare-tend.ts";
import { pullAllTransitions } from "../src/database/suspend.ts";
import { compareDumps, expireDumps } from "../src/dump/expire.ts";
import { holdOf } from "../src/hold/find.ts";
import { resealHosts } from "../src/host/reseal.ts";
import { watchHosts } from "../src/host/watch.ts";
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
import type { ContextOf } from "./api.ts";
import { createContext, type Env, log } from "./context.ts";
import { registry } from "./registry.ts";

type Chore = (context: Context) => Promise<unknown>;

// In this order, each once a minute.
const chores: readonly Chore[] = [
  // Whether D1 is as old as the hosts know it: before anything is repaired or removed.
  checkPast,
  // Work whose nudge was lost, and work that is late.
  sweep,
  (context) => watchDeadlines(context, registry),
  resolveDeadNudges,
  // Endpoints nobody woke, and those that came right.
  wakeEndpoints,
  resolveWebhookAlerts,
  // Entries of the audit log that nobody linked.
  nudgeSealers,
  // What the hosts have against what the rows say.
  reconcile,
  // Databases nobody has asked for yet.
  tendSpares,
  // What hosts did by themselves, and what was deleted long enough ago.
  pullAllTransitions,
  measureStorage,
  unlessHeld(purgeDeleted),
  unlessHeld(followPlans),
  unlessHeld(purgeProjects),
  unlessHeld(forgetFormers),
  unlessHeld(expireBranches),
  // Dumps that are out of date; against what hosts keep, which is a long list, now and then.
  unlessHeld(expireDumps),
  unlessHeld(onceAQuarter(compareDumps)),
  unlessHeld(endPreviews),
  // What hosts say is wrong with the backups they take.
  watchBackups,
  resolveDamage,
  // Proof that they can be restored.
  scheduleVerifications,
  watchVerifications,
  unlessHeld(onceAQuarter(forgetCertificates)),
  // What is out of date, and what a former sealing key sealed.
  purgeIdempotencyKeys,
  purgeEntries,
  resealHosts,
  resealDatabases,
  purgeWebhooks,
  resealWebhooks,
  // Looks in on each host.
  watchHosts,
];

/** A chore that removes something: an operator, or a D1 that was brought back, may stop it. */
function unlessHeld(chore: Chore): Chore {
  return async (context) => {
    if ((await holdOf(context)) === null) await chore(context);
  };
}

function onceAQuarter(chore: Chore): Chore {
  return async (context: Context) => {
    if (context.now().getUTCMinutes() % 15 === 0) await chore(context);
  };
}

/** Every minute: the chores, none of which stops the others. */
export async function onCron(
  env: Env,
  trigger: string,
  contextOf: ContextOf = createContext,
): Promise<void> {
  const context = await contextOf(env);
  if (isRuntimeIncident(trigger)) return reportRuntime(context, trigger);
  for (const chore of chores) {
    try {
      await chore(context);
    } catch (error) {
      log({ level: "error", message: messageOf(error) });
    }
  }
}
