// Damage that recoveries met, as alerts: each restore stands, but what it passed over is of no use
// to the next one either.
import { inArray } from "drizzle-orm";
import { openAlerts, raiseAlert, resolveAlerts } from "../alert/raise.ts";
import { type AlertRow, alert } from "../alert/table.ts";
import type { PassedOver } from "../contract/recovery.ts";
import { commit, type Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { type DatabaseRow, database } from "../database/table.ts";

const kind = "backup_damaged";
// Each is a question to a host; the others have their turn a minute later.
const lookedAtMax = 20;

const subjectOf = (databaseId: string, label: string) => `${databaseId}/${label}`;

/** Raises what a recovery of a database found damaged. */
export function damageAlerts(
  context: Context,
  { hostId, sourceDatabaseId }: { readonly hostId: string; readonly sourceDatabaseId: string },
  passed: readonly PassedOver[],
): Statement[] {
  return passed.flatMap(({ repository, backup_label: label, problem, is_damage: isDamage }) => {
    if (!isDamage || label === null) return [];
    const message =
      `A restore of the database ${sourceDatabaseId} met a damaged file in the repository ` +
      `${repository} of the host ${hostId}. ${problem} Look at the disk or the store it is on, ` +
      "and take a full base backup: what builds on the file cannot be relied on until it has " +
      "expired.";
    const details = {
      host_id: hostId,
      database_id: sourceDatabaseId,
      repository,
      backup: label,
    };
    const subject = subjectOf(sourceDatabaseId, label);
    return [raiseAlert(context, { kind, subject, message, details })];
  });
}

/** Resolves the alerts of base backups that have expired. */
export async function resolveDamage(context: Context): Promise<void> {
  const open = (await openAlerts(context, [kind])).filter(isOfRecovery).slice(0, lookedAtMax);
  if (open.length === 0) return;
  const ids = [...new Set(open.map(({ details }) => String(details.database_id)))];
  const rows = await context.db.select().from(database).where(inArray(database.id, ids));
  for (const row of rows) {
    const own = open.filter(({ details }) => details.database_id === row.id);
    await resolveExpired(context, row, own);
  }
}

/** True for one that a recovery raised: it names a base backup. */
export function isOfRecovery({ details }: AlertRow): boolean {
  return details.backup !== undefined;
}

async function resolveExpired(context: Context, row: DatabaseRow, open: readonly AlertRow[]) {
  const { hostId, databaseName } = row;
  // A host that is silent says nothing about expiry, nor does one whose lists cannot be read.
  const asked = context.host.command(hostId, "base_backups", { database: databaseName });
  const left = await asked.then(
    ({ base_backups }) => base_backups,
    () => [],
  );
  const known = new Set<unknown>(left.map(({ repository }) => repository));
  const subjects = new Set(left.map(({ label }) => subjectOf(row.id, label)));
  const gone = open
    .filter(({ subject, details }) => known.has(details.repository) && !subjects.has(subject))
    .map(({ id }) => id);
  if (gone.length === 0) return;
  await commit(context, [resolveAlerts(context, kind, inArray(alert.id, gone))]);
}
