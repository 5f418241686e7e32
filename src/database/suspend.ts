// Suspensions and wakes are the host's own doing: the control plane learns of them from its
// report, with their exact times, and brings the rows up to it.
import { and, eq, inArray } from "drizzle-orm";
import { allClusters, getCluster } from "../cluster/find.ts";
import { isMovedBySomebody, moveTransitionSeq } from "../cluster/transition.ts";
import type { Actor } from "../core/actor.ts";
import { commit, type Statement } from "../core/batch.ts";
import type { HostTransition } from "../core/cluster-port.ts";
import type { Context } from "../core/context.ts";
import { recordEvent } from "../webhook/event.ts";
import { findDatabase, type PlacedDatabase } from "./find.ts";
import { type DatabaseRow, database } from "./table.ts";

// A statement of D1 takes a hundred values, a batch some hundred statements.
const valuesMax = 90;
const transitionsMax = 200;

// The two states a database is in by its host's doing alone: any other is a verb's.
const itsOwn = ["running", "suspended"] as const;
type OwnState = (typeof itsOwn)[number];

/** One change of state to tell of. */
type Change = Pick<HostTransition, "database" | "to" | "at">;

/** Reads every cluster's report; one that does not answer does not keep the others waiting. */
export async function pullAllTransitions(context: Context): Promise<void> {
  for (const { id, name } of await allClusters(context)) {
    try {
      await pullTransitions(context, id);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      context.log({ level: "warning", message, cluster: name });
    }
  }
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
  const found = await findDatabase(context, actor, id);
  const { row } = found;
  const mayMove = row.state === "suspended" || row.suspendAfterSeconds > 0;
  if (!mayMove || !isItsOwn(row.state)) return found;
  const hasMoved = await pullTransitions(context, row.clusterId).catch(() => false);
  return hasMoved ? findDatabase(context, actor, id) : found;
}

/** Brings the rows of a cluster's databases up to its host's report; false without news. */
export async function pullTransitions(context: Context, clusterId: string): Promise<boolean> {
  const { transitionSeq: known } = await getCluster(context, clusterId);
  // The last one known comes with the news: a report without it tells of another past.
  const report = await context.cluster.transitions(clusterId, Math.max(known - 1, 0));
  const isWhole = report.length === 0 ? known === 0 : report[0]?.seq === Math.max(known, 1);
  const news = report.filter(({ seq }) => seq > known);
  if (isWhole && news.length === 0) return false;
  try {
    if (isWhole) await follow(context, clusterId, known, news);
    else await catchUp(context, clusterId, known);
  } catch (error) {
    // Somebody else brings them up to the same report right now.
    if (!isMovedBySomebody(error)) throw error;
  }
  return true;
}

async function follow(
  context: Context,
  clusterId: string,
  known: number,
  news: readonly HostTransition[],
): Promise<void> {
  let from = known;
  for (let at = 0; at < news.length; at += transitionsMax) {
    const some = news.slice(at, at + transitionsMax);
    const to = some.at(-1)?.seq ?? from;
    const rows = await rowsNamed(context, clusterId, [...new Set(some.map((it) => it.database))]);
    const statements = apply(context, rows, some);
    await commit(context, [...statements, moveTransitionSeq(context, clusterId, from, to)]);
    from = to;
  }
}

// The host has lost what came between: then what it says of now is all there is to know. What
// happens from the last number on is told again, to no effect.
async function catchUp(context: Context, clusterId: string, known: number): Promise<void> {
  const lastSeq = await lastSeqOf(context, clusterId);
  const hosts = new Map(
    (await context.cluster.hostDatabases(clusterId)).map((each) => [each.database, each.state]),
  );
  const rows = await context.db
    .select()
    .from(database)
    .where(and(eq(database.clusterId, clusterId), inArray(database.state, [...itsOwn])));
  const at = context.now().toISOString();
  const changes = rows.flatMap(({ databaseName, state }): Change[] => {
    const isSuspended = hosts.get(databaseName) === "suspended";
    if (isSuspended === (state === "suspended")) return [];
    return [{ database: databaseName, to: isSuspended ? "suspended" : "woken", at }];
  });
  const byName = new Map(rows.map((row) => [row.databaseName, row]));
  for (let done = 0; done < changes.length; done += transitionsMax) {
    await commit(context, apply(context, byName, changes.slice(done, done + transitionsMax)));
  }
  await commit(context, [moveTransitionSeq(context, clusterId, known, lastSeq)]);
}

async function lastSeqOf(context: Context, clusterId: string): Promise<number> {
  for (let seq = 0; ; ) {
    const last = (await context.cluster.transitions(clusterId, seq)).at(-1);
    if (last === undefined) return seq;
    seq = last.seq;
  }
}

async function rowsNamed(context: Context, clusterId: string, names: readonly string[]) {
  const rows = new Map<string, DatabaseRow>();
  for (let at = 0; at < names.length; at += valuesMax) {
    const some = names.slice(at, at + valuesMax);
    const found = await context.db
      .select()
      .from(database)
      .where(and(eq(database.clusterId, clusterId), inArray(database.databaseName, some)));
    for (const row of found) rows.set(row.databaseName, row);
  }
  return rows;
}

// Only what changes a row's state is told: the wake that a start or a stop brought is theirs.
function apply(
  context: Context,
  rows: ReadonlyMap<string, DatabaseRow>,
  changes: readonly Change[],
): Statement[] {
  const states = new Map<string, OwnState>();
  const events = changes.flatMap(({ database: name, to, at }) => {
    const row = rows.get(name);
    const state = to === "suspended" ? "suspended" : "running";
    if (row === undefined || !isItsOwn(row.state)) return [];
    if ((states.get(row.id) ?? row.state) === state) return [];
    states.set(row.id, state);
    return [tell(context, row, state, new Date(at))];
  });
  const statements = itsOwn.flatMap((state) => {
    const ids = [...states].filter(([, it]) => it === state).map(([id]) => id);
    return moveAll(context, ids, state);
  });
  return [...events, ...statements];
}

function tell(context: Context, row: DatabaseRow, state: OwnState, occurredAt: Date): Statement {
  return state === "suspended"
    ? recordEvent(context, "database.paused", row, { occurredAt, data: { reason: "idle" } })
    : recordEvent(context, "database.resumed", row, { occurredAt, data: { reason: "client" } });
}

function moveAll(context: Context, ids: readonly string[], state: OwnState): Statement[] {
  const statements: Statement[] = [];
  for (let at = 0; at < ids.length; at += valuesMax) {
    const some = ids.slice(at, at + valuesMax);
    statements.push(
      context.db
        .update(database)
        .set({ state, updatedAt: context.now() })
        .where(and(inArray(database.id, some), inArray(database.state, [...itsOwn]))),
    );
  }
  return statements;
}

function isItsOwn(state: string): state is OwnState {
  return itsOwn.some((each) => each === state);
}
