// Compares what D1 says with what the hosts have, and repairs drift. Law: a host is read
// before the rows, and a row is there before its effect, so what no row names is nobody's.

import { and, count, eq, inArray, notInArray, type SQL, sql } from "drizzle-orm";
import type { AnySQLiteColumn } from "drizzle-orm/sqlite-core";
import { type NewAlert, openAlerts, raiseAlert, resolveAlerts } from "../alert/raise.ts";
import { type AlertKind, type AlertRow, alert } from "../alert/table.ts";
import { commit, type Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { messageOf } from "../core/error.ts";
import { holdOf } from "../hold/find.ts";
import { allHosts } from "../host/find.ts";
import { correctCount } from "../host/place.ts";
import type { HostRow } from "../host/table.ts";
import { isActive, operation } from "../operation/table.ts";
import { type Drift, type Found, isOurs, type Wanted } from "./drift.ts";
import {
  goneStates,
  namesInUse,
  orphanAlerts,
  orphanSubject,
  orphansOf,
  stopOrphans,
} from "./orphan.ts";
import { repairAll } from "./repair.ts";
import { confirmSpares } from "./spare.ts";
import { leaveSpare } from "./spare-make.ts";
import { differsFromHost, matchHost } from "./suspend.ts";
import { database, type SpareRow, spare } from "./table.ts";

// What changed while the host was read is looked at next time.
const settleSeconds = 30;
const movesMax = 50;
// In one batch; the next look goes on.
const alertsMax = 100;
const hostsMilliseconds = 20_000;
const ofRow = ["database_missing", "repair_failed"] as const;
const kinds = [...ofRow, "orphan"] as const;
// In the other states an operation is under way, which brings its own order.
const settledStates: ReadonlySet<string> = new Set(["running", "suspended", "stopped", "deleted"]);

/** One look at every host, another one first each minute; a failing one stops no other. */
export async function reconcile(context: Context): Promise<void> {
  const since = context.now().getTime();
  const hosts = await allHosts(context);
  const first = Math.floor(since / 60_000) % Math.max(1, hosts.length);
  for (const { id } of [...hosts.slice(first), ...hosts.slice(0, first)]) {
    if (context.now().getTime() - since > hostsMilliseconds) return;
    try {
      await reconcileHost(context, id);
    } catch (error) {
      const message = messageOf(error);
      context.log({ level: "error", message: `Not reconciled: ${message}`, host: id });
    }
  }
}

/** What one look found and did. */
export interface Reconciled {
  readonly repaired: number;
  readonly failed: number;
  readonly orphans: number;
}

/** One look at one host: when all is well one command, one read and no write. */
export async function reconcileHost(context: Context, hostId: string): Promise<Reconciled> {
  const lookedAt = context.now();
  const { databases } = await context.host.command(hostId, "inventory", {});
  const found: Found = new Map(databases.filter(isOurs).map((each) => [each.database, each]));
  const { rows, spares, busy, inputs, alerts, isMiscounted } = await read(context, hostId);

  const settledBefore = new Date(lookedAt.getTime() - settleSeconds * 1000);
  const isSettled = (each: { readonly id: string; readonly updatedAt: Date }) =>
    !busy.has(each.id) && each.updatedAt < settledBefore;
  const judged = rows.filter((row) => settledStates.has(row.state) && isSettled(row));
  const missing = judged.filter(({ databaseName }) => !found.has(databaseName));
  const isHeld = (await holdOf(context)) !== null;
  const repairing = { context, judged, found, alerts, isHeld };
  const { repaired, failed, undecided } = await repairAll(repairing);

  const orphans = orphansOf(found, namesInUse([...rows, ...spares], inputs));
  const ofOrphans = alerts.filter(({ kind }) => kind === "orphan");
  if (!isHeld) {
    await followHost(context, judged, found);
    await followSpares(context, spares.filter(isSettled), found);
    await stopOrphans(context, hostId, orphans, ofOrphans);
  }

  const raised = [
    ...missing.map(missingAlert),
    ...[...failed].map(([id, drifts]) => failedAlert(hostId, id, drifts, isHeld)),
    ...orphanAlerts(context, hostId, orphans, ofOrphans),
  ];
  const still = new Set([
    ...raised.map(keyOf),
    ...orphans.map(({ database: name }) => orphanKey(hostId, name)),
    ...unjudged(rows, judged).flatMap((subject) => ofRow.map((kind) => keyOf({ kind, subject }))),
    ...undecided.map((subject) => keyOf({ kind: "repair_failed", subject })),
  ]);
  const known = new Set(alerts.map(keyOf));
  const fresh = raised.filter((each) => !known.has(keyOf(each)));
  const gone = alerts.filter((each) => !still.has(keyOf(each)));
  await commit(context, [
    ...fresh.slice(0, alertsMax).map((each) => raiseAlert(context, each)),
    ...gone.slice(0, alertsMax).map((each) => resolve(context, each)),
    ...(isMiscounted ? [recount(context, hostId)] : []),
  ]);
  return { repaired, failed: failed.size, orphans: orphans.length };
}

// A host's own move while a verb was under way was nobody's to follow then.
async function followHost(context: Context, judged: readonly Wanted[], found: Found) {
  const states = new Map([...found].map(([name, { state }]) => [name, state]));
  const ids = judged.filter((row) => differsFromHost(row, states)).map(({ id }) => id);
  if (ids.length === 0) return;
  const some = ids.slice(0, movesMax);
  const rows = await context.db.select().from(database).where(inArray(database.id, some));
  await matchHost(context, rows, states);
}

// A spare that is not there, or does not run, is nobody's to get.
async function followSpares(context: Context, spares: readonly SpareRow[], found: Found) {
  const ready = spares.filter(({ state }) => state === "ready");
  const isFit = ({ databaseName }: SpareRow) => found.get(databaseName)?.state === "running";
  const fit = ready.filter(isFit).map(({ id }) => id);
  if (fit.length > 0) await commit(context, [confirmSpares(context, fit)]);
  for (const each of ready) if (!isFit(each)) await leaveSpare(context, each);
}

async function read(context: Context, hostId: string) {
  const [rows, spares, operations, open, counted] = await context.db.batch([
    context.db.select(wantedColumns).from(database).where(isPlaced(hostId)),
    context.db.select().from(spare).where(eq(spare.hostId, hostId)),
    context.db
      .select({ resourceId: operation.resourceId, input: operation.input })
      .from(operation)
      .where(isActive),
    openAlerts(context, kinds),
    allHosts(context),
  ]);
  const host = counted.find(({ id }) => id === hostId);
  return {
    rows,
    spares,
    busy: new Set(operations.map(({ resourceId }) => resourceId)),
    inputs: operations.map(({ input }) => input),
    alerts: open.filter(({ details }) => details.host_id === hostId),
    isMiscounted: host !== undefined && isMiscounted(host, [...rows, ...spares]),
  };
}

function isMiscounted(
  { databasesCount, backendsCount }: HostRow,
  placed: readonly { readonly backends: number }[],
): boolean {
  const backends = placed.reduce((sum, each) => sum + each.backends, 0);
  return databasesCount !== placed.length || backendsCount !== backends;
}

const wantedColumns = {
  id: database.id,
  state: database.state,
  hostId: database.hostId,
  databaseName: database.databaseName,
  loginRole: database.loginRole,
  passwordSealed: database.passwordSealed,
  pendingLoginRole: database.pendingLoginRole,
  pendingPasswordSealed: database.pendingPasswordSealed,
  formerLogins: database.formerLogins,
  size: database.size,
  planLimits: database.planLimits,
  ownLimits: database.ownLimits,
  backends: database.backends,
  suspendAfterSeconds: database.suspendAfterSeconds,
  allowedAddresses: database.allowedAddresses,
  storageState: database.storageState,
  updatedAt: database.updatedAt,
};

function isPlaced(hostId: string) {
  return and(eq(database.hostId, hostId), notInArray(database.state, [...goneStates]));
}

// Of a row that was not judged nothing is known: its alerts stay.
function unjudged(rows: readonly Wanted[], judged: readonly Wanted[]): string[] {
  const known = new Set(judged.map(({ id }) => id));
  return rows.flatMap(({ id }) => (known.has(id) ? [] : [id]));
}

function missingAlert({ id, hostId, databaseName, state }: Wanted): NewAlert {
  return {
    kind: "database_missing",
    subject: id,
    message: `The host has no ${databaseName}. It is not made anew: restore it, or delete it.`,
    details: { host_id: hostId, database_name: databaseName, state },
  };
}

function failedAlert(
  hostId: string,
  id: string,
  drifts: readonly Drift[],
  isHeld: boolean,
): NewAlert {
  const why = isHeld ? "while repairs are held" : "and stays so";
  return {
    kind: "repair_failed",
    subject: id,
    message: `A database is not what its row asks for, ${why}: ${drifts.join(", ")}.`,
    details: { host_id: hostId, drifts },
  };
}

function keyOf({ kind, subject }: { readonly kind: AlertKind; readonly subject: string }): string {
  return `${kind} ${subject}`;
}

function orphanKey(hostId: string, name: string): string {
  return keyOf({ kind: "orphan", subject: orphanSubject(hostId, name) });
}

function resolve(context: Context, { id, kind }: AlertRow): Statement {
  return resolveAlerts(context, kind, eq(alert.id, id));
}

function recount(context: Context, hostId: string): Statement {
  const ofRows = (n: SQL) =>
    sql`(${context.db.select({ n }).from(database).where(isPlaced(hostId))})`;
  const ofSpares = (n: SQL) =>
    sql`(${context.db.select({ n }).from(spare).where(eq(spare.hostId, hostId))})`;
  const backends = (column: AnySQLiteColumn) => sql`coalesce(sum(${column}), 0)`;
  return correctCount(context, hostId, {
    databases: sql`(${ofRows(count())} + ${ofSpares(count())})`,
    backends: sql`(${ofRows(backends(database.backends))} + ${ofSpares(backends(spare.backends))})`,
  });
}
