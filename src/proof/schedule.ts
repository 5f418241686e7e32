// When a host proves its backups, and with which databases: those that waited longest, so many
// that each has its turn within a week.
import { and, asc, count, desc, eq, inArray, not, sql } from "drizzle-orm";
import { verifiedMax } from "../contract/verification.ts";
import { commit } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { invalid, messageOf, notFound } from "../core/error.ts";
import { database } from "../database/table.ts";
import { allHosts } from "../host/find.ts";
import type { HostRow } from "../host/table.ts";
import { activeOperations, commitExclusively } from "../operation/find.ts";
import { type VerificationRow, verification } from "./table.ts";
import { beginVerification, verifiable, verificationResource } from "./verify.ts";

const weekDays = 7;
const hourMilliseconds = 3_600_000;
// After one that failed the next is not tried at once.
const pauseHours = 1;

/** How often, and with how many databases at a time, `databases` of them are covered in a week. */
export function verificationPlan(databases: number): {
  readonly hours: number;
  readonly sample: number;
} {
  const daily = Math.max(Math.ceil(databases / weekDays), 1);
  const times = Math.ceil(daily / verifiedMax);
  return { hours: 24 / times, sample: Math.ceil(daily / times) };
}

/** Whether the next is due; the first one is when a host is that old. */
export function isVerificationDue(
  now: Date,
  hours: number,
  since: Date,
  last: Pick<VerificationRow, "state" | "createdAt"> | undefined,
): boolean {
  const wait = last?.state === "failed" ? Math.min(pauseHours, hours) : hours;
  const from = last?.createdAt ?? since;
  return now.getTime() - from.getTime() >= wait * hourMilliseconds;
}

/** Begins the verifications that are due; one host's trouble is not another's. */
export async function scheduleVerifications(context: Context): Promise<void> {
  for (const host of await allHosts(context)) {
    try {
      await scheduleVerification(context, host);
    } catch (error) {
      const message = messageOf(error);
      context.log({ level: "warning", message, host: host.name });
    }
  }
}

async function scheduleVerification(context: Context, host: HostRow): Promise<void> {
  const { id, createdAt } = host;
  const [[last], [counted]] = await context.db.batch([
    lastVerification(context, id),
    context.db.select({ n: count() }).from(database).where(isVerifiable(id)),
  ]);
  const { hours, sample } = verificationPlan(counted?.n ?? 0);
  if (!isVerificationDue(context.now(), hours, createdAt, last)) return;
  if ((await activeOperations(context, [verificationResource(id)])).size > 0) return;
  const ids = await longestUnverified(context, id, sample, passedSince(context));
  if (ids.length === 0) return;
  await commit(context, beginVerification(context, id, ids).statements);
  await context.nudge(`host:${id}`);
}

// Who passed is looked at again when the week is nearly over: what is due each day is spread then.
const restDays = weekDays - 1;

/** Since when a database that passed need not be looked at again. */
export function passedSince(context: Context, days: number = restDays): Date {
  return new Date(context.now().getTime() - days * 24 * hourMilliseconds);
}

/** That a database has passed since then. */
export function hasPassed(since: Date | null) {
  const at = since?.getTime() ?? Number.MAX_SAFE_INTEGER;
  return sql`exists (
    select 1 from certificate as passed where passed.database_id = database.id
      and passed.result = 'passed' and passed.created_at > ${at})`;
}

function lastVerification(context: Context, hostId: string) {
  return context.db
    .select()
    .from(verification)
    .where(eq(verification.hostId, hostId))
    .orderBy(desc(verification.seq))
    .limit(1);
}

/** That a database is in a host, and there to be verified. */
export function isVerifiable(hostId: string) {
  return and(eq(database.hostId, hostId), inArray(database.state, [...verifiable]));
}

/**
 * Ids of the databases that were verified longest ago, those never verified first, without those
 * that passed since `since`.
 */
async function longestUnverified(
  context: Context,
  hostId: string,
  limit: number,
  since: Date | null = null,
): Promise<string[]> {
  const verifiedAt = sql`(
    select max(newest.seq) from certificate as newest where newest.database_id = database.id)`;
  const rows = await context.db
    .select({ id: database.id })
    .from(database)
    .where(and(isVerifiable(hostId), not(hasPassed(since))))
    .orderBy(sql`coalesce(${verifiedAt}, 0)`, asc(database.seq))
    .limit(limit);
  return rows.map(({ id }) => id);
}

/**
 * Begins a verification whether one is due or not, of one database or of those whose turn it is.
 * @throws ApiError 404 for a database that is not in the host, 409 OPERATION_IN_PROGRESS while
 *   another one runs, 422 when there is no database to verify.
 */
export async function verifyNow(context: Context, hostId: string, databaseId: string | undefined) {
  const ids = await chosen(context, hostId, databaseId);
  const { statements, ...begun } = beginVerification(context, hostId, ids);
  await commitExclusively(context, [verificationResource(hostId)], statements);
  await context.nudge(`host:${hostId}`);
  return begun;
}

async function chosen(context: Context, hostId: string, databaseId: string | undefined) {
  if (databaseId === undefined) {
    const [counted] = await context.db
      .select({ n: count() })
      .from(database)
      .where(isVerifiable(hostId));
    const { sample } = verificationPlan(counted?.n ?? 0);
    const ids = await longestUnverified(context, hostId, sample);
    if (ids.length > 0) return ids;
    throw invalid("database_id", "the host has no database to verify; create one first.");
  }
  const [found] = await context.db
    .select({ id: database.id })
    .from(database)
    .where(and(isVerifiable(hostId), eq(database.id, databaseId)));
  if (found === undefined) throw notFound("database");
  return [found.id];
}
