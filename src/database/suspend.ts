// Suspensions and wakes are the host's own doing: the control plane learns of them from its
// report, with their exact times, and brings the rows up to it.
import { and, eq, inArray } from "drizzle-orm";
import { allClusters } from "../cluster/find.ts";
import { setTransitionSeq } from "../cluster/transition.ts";
import { commit, type Statement } from "../core/batch.ts";
import type { HostTransition } from "../core/cluster-port.ts";
import type { Context } from "../core/context.ts";
import { recordEvent } from "../webhook/event.ts";
import { type DatabaseRow, database } from "./table.ts";

// A statement of D1 takes a hundred values.
const namesMax = 90;

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
 * Looks whether the host has suspended or woken a database meanwhile; true when anything was
 * learned. A host that does not answer now will be asked again.
 */
export async function followHost(context: Context, row: DatabaseRow): Promise<boolean> {
  const isItsOwn = row.state === "running" || row.state === "suspended";
  if (!isItsOwn || (row.suspendAfterSeconds === 0 && row.state === "running")) return false;
  return pullTransitions(context, row.clusterId).catch(() => false);
}

/** Brings the rows of a cluster's databases up to its host's report; false without news. */
export async function pullTransitions(context: Context, clusterId: string): Promise<boolean> {
  const [cluster] = (await allClusters(context)).filter(({ id }) => id === clusterId);
  if (cluster === undefined) return false;
  const transitions = await context.cluster.transitions(clusterId, cluster.transitionSeq);
  const last = transitions.at(-1);
  if (last === undefined) return false;
  const rows = await rowsOf(context, clusterId, [...new Set(transitions.map((it) => it.database))]);
  await commit(context, [
    ...transitions.flatMap((transition) => tell(context, rows, transition)),
    ...[...rows.values()].flatMap((row) => follow(context, row, transitions)),
    setTransitionSeq(context, clusterId, last.seq),
  ]);
  return true;
}

async function rowsOf(context: Context, clusterId: string, names: readonly string[]) {
  const rows = new Map<string, DatabaseRow>();
  for (let at = 0; at < names.length; at += namesMax) {
    const some = names.slice(at, at + namesMax);
    const found = await context.db
      .select()
      .from(database)
      .where(and(eq(database.clusterId, clusterId), inArray(database.databaseName, some)));
    for (const row of found) rows.set(row.databaseName, row);
  }
  return rows;
}

function tell(
  context: Context,
  rows: ReadonlyMap<string, DatabaseRow>,
  { database: name, to, at }: HostTransition,
): Statement[] {
  const row = rows.get(name);
  if (row === undefined) return [];
  const occurredAt = new Date(at);
  return to === "suspended"
    ? [recordEvent(context, "database.paused", row, { occurredAt, data: { reason: "idle" } })]
    : [recordEvent(context, "database.resumed", row, { occurredAt, data: { reason: "client" } })];
}

// Only the two states it can be in by itself: a verb's own state is the verb's.
function follow(
  context: Context,
  row: DatabaseRow,
  transitions: readonly HostTransition[],
): Statement[] {
  const last = transitions.findLast((transition) => transition.database === row.databaseName);
  const state = last?.to === "suspended" ? "suspended" : "running";
  return [
    context.db
      .update(database)
      .set({ state, updatedAt: context.now() })
      .where(and(eq(database.id, row.id), inArray(database.state, ["running", "suspended"]))),
  ];
}
