// Suspensions and wakes are the host's own doing: the control plane learns of them from its
// report, with their exact times, and brings the rows up to it.

import { and, eq, inArray } from "drizzle-orm";
import type { HostDatabase } from "../contract/database.ts";
import type { Transition } from "../contract/transition.ts";
import type { Actor } from "../core/actor.ts";
import { commit } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { messageOf } from "../core/error.ts";
import { withoutTrail } from "../core/trail.ts";
import { allHosts, getHost } from "../host/find.ts";
import { isMovedBySomebody, moveTransitionSeq } from "../host/transition.ts";
import { findDatabase, type PlacedDatabase } from "./find.ts";
import { type DatabaseRow, database } from "./table.ts";
import {
  applyTransitions,
  itsOwnStates,
  type MoveByHost,
  mayMove,
  valuesMax,
} from "./transition.ts";

// A batch of D1 takes some hundred statements.
const transitionsMax = 200;
const reportMax = 1000;

/** Reads every host's report; one that does not answer does not keep the others waiting. */
export async function pullAllTransitions(context: Context): Promise<void> {
  for (const { id, name } of await allHosts(context)) {
    try {
      await pullTransitions(context, id);
    } catch (error) {
      const message = messageOf(error);
      context.log({ level: "warning", message, host: name });
    }
  }
}

/**
 * A database as it is now, with whether its servers let anybody in.
 * @throws ApiError 404
 */
export async function findTested(
  context: Context,
  actor: Actor,
  id: string,
): Promise<PlacedDatabase> {
  const found = await findDatabase(context, actor, id);
  const { hostId, state } = found.row;
  if (state !== "running" && state !== "suspended") return found;
  const problem = await context.host.checkReady(hostId).then(() => null, messageOf);
  const now = problem === null ? await followHost(context, actor, found) : found;
  return { ...now, problem };
}

/**
 * A database as it is now: its host may have suspended or woken it since the row was written. What
 * a host that does not answer now knows, the next look will tell.
 * @throws ApiError 404
 */
export async function findFollowed(
  context: Context,
  actor: Actor,
  id: string,
): Promise<PlacedDatabase> {
  return followHost(context, actor, await findDatabase(context, actor, id));
}

async function followHost(
  context: Context,
  actor: Actor,
  found: PlacedDatabase,
): Promise<PlacedDatabase> {
  const { id, hostId } = found.row;
  if (!mayMove(found.row)) return found;
  const hasMoved = await pullTransitions(withoutTrail(context), hostId).catch(() => false);
  return hasMoved ? findDatabase(context, actor, id) : found;
}

/** Brings the rows of a host's databases up to its host's report; false without news. */
export async function pullTransitions(context: Context, hostId: string): Promise<boolean> {
  const { transitionSeq: known } = await getHost(context, hostId);
  // The last one known comes with the news: a report without it tells of another past.
  const report = await transitionsAfter(context, hostId, Math.max(known - 1, 0));
  const isWhole = report.length === 0 ? known === 0 : report[0]?.seq === Math.max(known, 1);
  const news = report.filter(({ seq }) => seq > known);
  if (isWhole && news.length === 0) return false;
  try {
    if (isWhole) await follow(context, hostId, known, news);
    else await catchUp(context, hostId, known);
  } catch (error) {
    // Somebody else brings them up to the same report right now.
    if (!isMovedBySomebody(error)) throw error;
  }
  return true;
}

async function follow(
  context: Context,
  hostId: string,
  known: number,
  news: readonly Transition[],
): Promise<void> {
  let from = known;
  for (let at = 0; at < news.length; at += transitionsMax) {
    const some = news.slice(at, at + transitionsMax);
    const to = some.at(-1)?.seq ?? from;
    const rows = await rowsNamed(context, hostId, [...new Set(some.map((it) => it.database))]);
    const statements = applyTransitions(context, rows, some);
    await commit(context, [...statements, moveTransitionSeq(context, hostId, from, to)]);
    from = to;
  }
}

// The host has lost what came between: then what it says of now is all there is to know. What
// happens from the last number on is told again, to no effect.
async function catchUp(context: Context, hostId: string, known: number): Promise<void> {
  const lastSeq = await lastSeqOf(context, hostId);
  const { databases } = await context.host.command(hostId, "inventory", {});
  const states = new Map(databases.map((each) => [each.database, each.state]));
  const rows = await context.db
    .select()
    .from(database)
    .where(and(eq(database.hostId, hostId), inArray(database.state, [...itsOwnStates])));
  await matchHost(context, rows, states);
  await commit(context, [moveTransitionSeq(context, hostId, known, lastSeq)]);
}

/** True for a row that says other than its host whether it is suspended. */
export function differsFromHost(
  { databaseName, state }: Pick<DatabaseRow, "databaseName" | "state">,
  states: HostStates,
): boolean {
  const isItsOwn = itsOwnStates.some((each) => each === state);
  return isItsOwn && (states.get(databaseName) === "asleep") !== (state === "suspended");
}

/** What a host says of its databases, by name. */
type HostStates = ReadonlyMap<string, HostDatabase["state"]>;

/** Brings rows to what their host says of now: it says no more when this began. */
export async function matchHost(
  context: Context,
  rows: readonly DatabaseRow[],
  states: HostStates,
): Promise<void> {
  const at = context.now().toISOString();
  const changes = rows
    .filter((row) => differsFromHost(row, states))
    .map(({ databaseName, state }): MoveByHost => {
      return { database: databaseName, to: state === "suspended" ? "woken" : "suspended", at };
    });
  const byName = new Map(rows.map((row) => [row.databaseName, row]));
  for (let done = 0; done < changes.length; done += transitionsMax) {
    await commit(
      context,
      applyTransitions(context, byName, changes.slice(done, done + transitionsMax)),
    );
  }
}

async function transitionsAfter(context: Context, hostId: string, after_seq: number) {
  const input = { after_seq, limit: reportMax };
  return (await context.host.command(hostId, "report", input)).transitions;
}

async function lastSeqOf(context: Context, hostId: string): Promise<number> {
  for (let seq = 0; ; ) {
    const last = (await transitionsAfter(context, hostId, seq)).at(-1);
    if (last === undefined) return seq;
    seq = last.seq;
  }
}

async function rowsNamed(context: Context, hostId: string, names: readonly string[]) {
  const rows = new Map<string, DatabaseRow>();
  for (let at = 0; at < names.length; at += valuesMax) {
    const some = names.slice(at, at + valuesMax);
    const found = await context.db
      .select()
      .from(database)
      .where(and(eq(database.hostId, hostId), inArray(database.databaseName, some)));
    for (const row of found) rows.set(row.databaseName, row);
  }
  return rows;
}
