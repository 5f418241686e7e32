// Backups that are not proved, as alerts: what was found wrong with a database that was restored,
// what could not be looked at, and a host where nothing was looked at for too long.
import { and, count, desc, eq, isNotNull, lt, not, notInArray, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/sqlite-core";
import { raiseAlert, resolveAlerts } from "../alert/raise.ts";
import { alert } from "../alert/table.ts";
import type { VerifiedDatabase } from "../contract/verification.ts";
import { commit, type Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { database } from "../database/table.ts";
import { allHosts } from "../host/find.ts";
import type { HostRow } from "../host/table.ts";
import { hasPassed, isVerifiable, passedSince, verificationPlan } from "./schedule.ts";
import { type CertificateRow, certificate, verification } from "./table.ts";

const kind = "verification_failed";
const hourMilliseconds = 3_600_000;
// One that is late by half is missed.
const lateFactor = 1.5;
// A database that passed is looked at again after six days.
const provedDays = 7.5;
// D1 takes at most a hundred values in a statement.
const toldMax = 40;
// What an auditor asks for goes back a year.
const keptDays = 400;

/** Raises what is wrong by the newest certificates and verifications, and resolves what is not. */
export async function watchVerifications(context: Context): Promise<void> {
  const failed = await failedCertificates(context);
  const hosts = await allHosts(context);
  const statements = failed.map((row) => raiseAlert(context, alertOf(row)));
  for (const host of hosts) statements.push(...(await alertsOfHost(context, host)));
  const others = [
    ...failed.map(({ databaseId }) => databaseId),
    ...hosts.map(({ id }) => id).slice(0, toldMax),
  ];
  // With more than that many at a time, somebody is at it: what is resolved can wait.
  const isAll = failed.length < toldMax && hosts.length < toldMax;
  const resolved = isAll ? [resolveAlerts(context, kind, notInArray(alert.subject, others))] : [];
  await commit(context, [...statements, ...resolved]);
}

// A database's newest certificate counts, as long as somebody could restore it.
function failedCertificates(context: Context): Promise<CertificateRow[]> {
  const later = alias(certificate, "later");
  const newest = context.db
    .select({ seq: sql`max(${later.seq})` })
    .from(later)
    .where(eq(later.databaseId, certificate.databaseId));
  const isGone = context.db
    .select({ id: database.id })
    .from(database)
    .where(eq(database.state, "purged"));
  return context.db
    .select()
    .from(certificate)
    .where(
      and(
        sql`result = 'failed'`,
        eq(certificate.seq, newest),
        notInArray(certificate.databaseId, isGone),
      ),
    )
    .orderBy(desc(certificate.seq))
    .limit(toldMax);
}

function alertOf({ id, databaseId, hostId, backupLabel, document }: CertificateRow) {
  const { checks }: Pick<VerifiedDatabase, "checks"> = JSON.parse(document);
  const failed = checks.filter(({ result }) => result === "failed");
  const words = failed.map(({ name, detail }) => `${name}: ${detail}`).join(" ");
  const message =
    `The database ${databaseId} did not come back whole from the base backup ${backupLabel}. ` +
    `${words} Take a full base backup, then verify again.`;
  const details = { certificate_id: id, host_id: hostId, backup: backupLabel };
  return { kind, subject: databaseId, message, details } as const;
}

async function alertsOfHost(context: Context, host: HostRow): Promise<Statement[]> {
  const { id, name, createdAt } = host;
  const isOver = and(eq(verification.hostId, id), isNotNull(verification.endedAt));
  const isProved = hasPassed(passedSince(context, provedDays));
  const latest = (which = isOver) =>
    context.db.select().from(verification).where(which).orderBy(desc(verification.seq)).limit(1);
  const [[last], [whole], [counted]] = await context.db.batch([
    latest(),
    latest(and(isOver, eq(verification.state, "succeeded"))),
    context.db
      .select({
        n: count(),
        first: sql<number | null>`min(case when not ${isProved} then ${database.createdAt} end)`,
      })
      .from(database)
      .where(isVerifiable(id)),
  ]);
  const { n: databases = 0, first = null } = counted ?? {};
  const { hours } = verificationPlan(databases);
  const before = whole?.endedAt ?? createdAt;
  // Before there was a database that is not proved there was nothing to verify.
  const since = new Date(Math.max(first ?? 0, before.getTime()));
  const age = context.now().getTime() - since.getTime();
  const isLate = first !== null && age > lateFactor * hours * hourMilliseconds;
  const tell = (message: string, details: Record<string, unknown>) => [
    raiseAlert(context, { kind, subject: id, message, details: { name, ...details } }),
  ];
  const retry = "It is tried again in an hour; nothing is certified meanwhile.";
  if (last?.state === "failed") {
    const why = `A verification of the host ${name} was not carried out: ${last.errorMessage}`;
    return tell(`${why} ${retry}`, { verification_id: last.id });
  }
  if (isLate) {
    const at = since.toISOString();
    const message = `No backup of the host ${name} was verified since ${at}. Look at its host.`;
    return tell(message, { since: at });
  }
  return [resolveAlerts(context, kind, eq(alert.subject, id))];
}

/** Forgets certificates and verifications that are older than a year and a month. */
export async function forgetCertificates(context: Context): Promise<void> {
  const before = new Date(context.now().getTime() - keptDays * 24 * hourMilliseconds);
  await commit(context, [
    context.db.delete(certificate).where(lt(certificate.createdAt, before)),
    context.db
      .delete(verification)
      .where(and(lt(verification.createdAt, before), not(eq(verification.state, "running")))),
  ]);
}
