// Databases nobody has asked for yet, complete: whoever asks for one of the usual size is given one
// in the batch that makes its row, and no host is asked. A claim and a removal exclude each other
// by the row.
//
// A D1 that was brought back from an earlier time names spares that are tenants' by now: none of
// them may be given away or removed. So each is confirmed every minute, one that was not for long
// is nobody's to get, and once a host shows that D1 is past, all are
// forgotten, which leaves their databases as orphans.
import { and, eq, gt, inArray, isNull, type SQL, sql } from "drizzle-orm";
import { planLimitsOf } from "../account/plan.ts";
import { followedBy, type Statement, violatedConstraint } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { markHosts } from "../hold/mark.ts";
import { installation } from "../hold/table.ts";
import { host } from "../host/table.ts";
import type { DatabaseSize } from "./size.ts";
import { applySpec, type Specified } from "./spec.ts";
import { type DatabaseRow, database, type SpareRow, spare } from "./table.ts";

/** The size spares are of. */
export const spareSize: DatabaseSize = "small";

const confirmedMilliseconds = 180_000;
// Claims that come at once choose among so many, so that few choose the same.
const choicesMax = 20;
const triesMax = 8;
const takenConstraints = new Set(["database.host_id", "database.id", "database.database_name"]);
// A database is asked for, and then the next one is made.
const pauseSeconds = 1;

/** What a claim may be of: ready, confirmed of late, on a host that takes databases. */
function isClaimable(context: Pick<Context, "db" | "now">): SQL | undefined {
  const past = new Date(context.now().getTime() - confirmedMilliseconds);
  const taking = context.db
    .select({ id: host.id })
    .from(host)
    .where(and(eq(host.state, "active"), isNull(host.silentSince)));
  const held = context.db
    .select({ id: installation.id })
    .from(installation)
    .where(sql`held_at is not null`);
  return and(
    eq(spare.state, "ready"),
    gt(spare.updatedAt, past),
    inArray(spare.hostId, taking),
    sql`not exists ${held}`,
  );
}

/**
 * Spares a new database of an organization may be, for the caller's read batch: none of another
 * size, and none where a plan has other limits than what a spare was made with.
 */
export function sparesFor(
  context: Pick<Context, "db" | "now">,
  organizationId: string,
  size: DatabaseSize | null,
) {
  return context.db
    .select()
    .from(spare)
    .where(
      and(
        sql`${size ?? ""} = ${spareSize}`,
        isClaimable(context),
        sql`${planLimitsOf(organizationId, spareSize)} = '{}'`,
      ),
    )
    .orderBy(spare.seq)
    .limit(choicesMax);
}

/** One of them, whichever; null when there is none. */
export function anyOf(context: Pick<Context, "random">, spares: readonly SpareRow[]) {
  const [byte = 0] = context.random(1);
  return spares[byte % Math.max(1, spares.length)] ?? null;
}

/** The host of a spare for the row it becomes: NULL, which aborts the batch, once it is taken. */
export function hostOfClaimed(context: Pick<Context, "db" | "now">, { id }: SpareRow): SQL<string> {
  const found = context.db
    .select({ hostId: spare.hostId })
    .from(spare)
    .where(and(eq(spare.id, id), isClaimable(context)));
  return sql<string>`(${found})`;
}

/**
 * Tries again where somebody else was given the spare; the last time without one.
 * @param attempt is told whether it is the last time
 */
export async function withSpares<Result>(
  attempt: (isLast: boolean) => Promise<Result>,
): Promise<Result> {
  for (let tries = 1; ; tries++) {
    const isLast = tries === triesMax;
    try {
      return await attempt(isLast);
    } catch (error) {
      const violated = violatedConstraint(error);
      const isTaken = violated !== null && takenConstraints.has(violated);
      if (isLast || !isTaken) throw error;
    }
  }
}

/**
 * Takes a spare away, as the database it has become. What its row asks for beyond what every spare
 * has, which is its suspension, its host is told beside the answer; the reconciler sees to it that
 * it was.
 */
export function takeSpare(context: Context, { id, hostId }: SpareRow): Statement {
  const taken = context.db.delete(spare).where(eq(spare.id, id));
  return followedBy(taken, () => {
    context.beside(() => tellSpec(context, id));
    context.beside(() => context.nudge(spareLane(hostId), pauseSeconds));
  });
}

async function tellSpec(context: Context, id: string): Promise<void> {
  const [row] = await context.db.select().from(database).where(eq(database.id, id));
  if (row?.state === "running" && row.suspendAfterSeconds !== 0) await applySpec(context, row);
}

/** What is done once a database was made without a spare: there may be one for the next. */
export function wantSpares(context: Context, hostId: string): void {
  if (context.spares.max === 0) return;
  context.beside(() => context.nudge(spareLane(hostId), pauseSeconds));
}

/** Says of spares that they are there still. */
export function confirmSpares(context: Context, ids: readonly string[]): Statement {
  const values = JSON.stringify(ids);
  return context.db
    .update(spare)
    .set({ updatedAt: context.now() })
    .where(
      and(eq(spare.state, "ready"), sql`${spare.id} in (select value from json_each(${values}))`),
    );
}

/**
 * Marks every host; where one shows that this D1 is past, repairs are held from here on, and spares
 * are forgotten, whatever each is by now. Comes before anything that repairs or removes.
 */
export async function checkPast(context: Context): Promise<void> {
  if (await markHosts(context)) await context.db.delete(spare);
}

/** A host's spares are made one at a time. */
export function spareLane(hostId: string): string {
  return `spare:${hostId}`;
}

/** The host whose spares a lane is of; null for any other lane. */
export function hostOfSpareLane(lane: string): string | null {
  const [, hostId = null] = /^spare:(.+)$/.exec(lane) ?? [];
  return hostId;
}

/** A spare as the database it is going to be. */
export function asDatabase(row: SpareRow) {
  const { id, hostId, databaseName, loginRole, passwordSealed } = row;
  return {
    ...{ id, hostId, databaseName, loginRole, passwordSealed },
    pendingLoginRole: null,
    pendingPasswordSealed: null,
    formerLogins: [],
    size: spareSize,
    planLimits: {},
    ownLimits: {},
    storageState: "normal",
    // As in production, where most are wanted; the others differ in nothing else.
    suspendAfterSeconds: 0,
    allowedAddresses: [],
  } satisfies Specified & Partial<DatabaseRow>;
}
