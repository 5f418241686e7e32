// Damage that recoveries met, as alerts: each restore stands, but what it passed over is of no use
// to the next one either.
import { inArray } from "drizzle-orm";
import { openAlerts, raiseAlert, resolveAlerts } from "../alert/raise.ts";
import { type AlertRow, alert } from "../alert/table.ts";
import type { PassedOver } from "../contract/recovery.ts";
import { commit, type Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { allHosts } from "../host/find.ts";

const kind = "backup_damaged";
// D1 takes at most a hundred values in a statement.
const resolvedMax = 40;

const subjectOf = (hostId: string, label: string) => `${hostId}/${label}`;

/** Raises what a host's recovery found damaged. */
export function damageAlerts(
  context: Context,
  hostId: string,
  passed: readonly PassedOver[],
): Statement[] {
  return passed.flatMap(({ repository, backup_label: label, problem, is_damage: isDamage }) => {
    if (!isDamage || label === null) return [];
    const message =
      `A restore met a damaged file in the repository ${repository} of the host ${hostId}. ` +
      `${problem} Look at the disk or the store it is on, and take a full base backup: what ` +
      "builds on the file cannot be relied on until it has expired.";
    const details = { host_id: hostId, repository, backup: label };
    return [raiseAlert(context, { kind, subject: subjectOf(hostId, label), message, details })];
  });
}

/** Resolves the alerts of base backups that have expired. */
export async function resolveDamage(context: Context): Promise<void> {
  const open = await openAlerts(context, [kind]);
  if (open.length === 0) return;
  for (const { id } of await allHosts(context)) {
    const own = open.filter(({ details }) => details.host_id === id);
    if (own.length > 0) await resolveExpired(context, id, own);
  }
}

async function resolveExpired(context: Context, hostId: string, open: readonly AlertRow[]) {
  // A host that is silent says nothing about expiry, nor does one whose lists cannot be read.
  const left = await context.host.baseBackups(hostId).catch(() => []);
  const known = new Set<unknown>(left.map(({ repository }) => repository));
  const subjects = new Set(left.map(({ label }) => subjectOf(hostId, label)));
  const gone = open
    .filter(({ subject, details }) => known.has(details.repository) && !subjects.has(subject))
    .map(({ id }) => id);
  if (gone.length === 0) return;
  const isGone = inArray(alert.id, gone.slice(0, resolvedMax));
  await commit(context, [resolveAlerts(context, kind, isGone)]);
}
