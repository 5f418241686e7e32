// Damage that recoveries met, as alerts: each restore stands, but what it passed over is of no use
// to the next one either.
import { inArray } from "drizzle-orm";
import { openAlerts, raiseAlert, resolveAlerts } from "../alert/raise.ts";
import { type AlertRow, alert } from "../alert/table.ts";
import { allClusters } from "../cluster/find.ts";
import type { PassedOver } from "../contract/recovery.ts";
import { commit, type Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";

const kind = "backup_damaged";
// D1 takes at most a hundred values in a statement.
const resolvedMax = 40;

const subjectOf = (clusterId: string, label: string) => `${clusterId}/${label}`;

/** Raises what a cluster's recovery found damaged. */
export function damageAlerts(
  context: Context,
  clusterId: string,
  passed: readonly PassedOver[],
): Statement[] {
  return passed.flatMap(({ repository, backup_label: label, problem, is_damage: isDamage }) => {
    if (!isDamage || label === null) return [];
    const message =
      `A restore met a damaged file in the repository ${repository} of the cluster ${clusterId}. ` +
      `${problem} Look at the disk or the store it is on, and take a full base backup: what ` +
      "builds on the file cannot be relied on until it has expired.";
    const details = { cluster_id: clusterId, repository, backup: label };
    return [raiseAlert(context, { kind, subject: subjectOf(clusterId, label), message, details })];
  });
}

/** Resolves the alerts of base backups that have expired. */
export async function resolveDamage(context: Context): Promise<void> {
  const open = await openAlerts(context, [kind]);
  if (open.length === 0) return;
  for (const { id } of await allClusters(context)) {
    const own = open.filter(({ details }) => details.cluster_id === id);
    if (own.length > 0) await resolveExpired(context, id, own);
  }
}

async function resolveExpired(context: Context, clusterId: string, open: readonly AlertRow[]) {
  // A cluster that is silent says nothing about expiry, nor does one whose lists cannot be read.
  const left = await context.cluster.baseBackups(clusterId).catch(() => []);
  const known = new Set<unknown>(left.map(({ repository }) => repository));
  const subjects = new Set(left.map(({ label }) => subjectOf(clusterId, label)));
  const gone = open
    .filter(({ subject, details }) => known.has(details.repository) && !subjects.has(subject))
    .map(({ id }) => id);
  if (gone.length === 0) return;
  const isGone = inArray(alert.id, gone.slice(0, resolvedMax));
  await commit(context, [resolveAlerts(context, kind, isGone)]);
}
