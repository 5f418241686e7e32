// Makes a host again what a row asks for. Law: whoever repairs has looked again right before.
import { and, eq } from "drizzle-orm";
import type { AlertRow } from "../alert/table.ts";
import type { Context } from "../core/context.ts";
import { messageOf } from "../core/error.ts";
import { isActive, operation } from "../operation/table.ts";
import { type Drift, type Found, findDrifts, type Wanted } from "./drift.ts";
import { applySpec } from "./spec.ts";
import { database } from "./table.ts";

const repairsMax = 50;

interface Repairing {
  readonly context: Context;
  readonly judged: readonly Wanted[];
  readonly found: Found;
  readonly alerts: readonly AlertRow[];
  /** Drifts are told and left as they are. */
  readonly isHeld: boolean;
}

/**
 * Repairs what drifted, some at a time. Those that failed before come last, so that they never keep
 * others from their turn.
 */
export async function repairAll({ context, judged, found, alerts, isHeld }: Repairing) {
  const failedBefore = new Set(alerts.map(({ subject }) => subject));
  const { drifted, unseen } = await findDrifts(context, judged, found);
  drifted.sort((a, b) => Number(failedBefore.has(a.row.id)) - Number(failedBefore.has(b.row.id)));
  const failed = new Map<string, readonly Drift[]>();
  const undecided = [...unseen, ...drifted.slice(repairsMax).map(({ row }) => row.id)];
  let repaired = 0;
  for (const { row, drifts } of drifted.slice(0, repairsMax)) {
    const left = isHeld ? drifts : await repairDrifts(context, row, drifts);
    if (left === null) undecided.push(row.id);
    else if (left.length > 0) failed.set(row.id, left);
    else repaired++;
  }
  return { repaired, failed, undecided };
}

/**
 * Repairs a database's drifts one by one; one that fails does not stop the others. The drifts that
 * are left, or null when the row has changed meanwhile and the next look decides.
 */
async function repairDrifts(
  context: Context,
  row: Wanted,
  drifts: readonly Drift[],
): Promise<Drift[] | null> {
  if (!(await isUnchanged(context, row))) return null;
  const left: Drift[] = [];
  for (const drift of drifts) {
    const facts = { host: row.hostId, database: row.id, drift };
    try {
      await repairs[drift](context, row);
      context.log({ level: "warning", message: "Repaired a drift", ...facts });
    } catch (error) {
      const message = messageOf(error);
      context.log({ level: "error", message: `A repair failed: ${message}`, ...facts });
      left.push(drift);
    }
  }
  return left;
}

async function isUnchanged(context: Context, row: Wanted): Promise<boolean> {
  const [rows, busy] = await context.db.batch([
    context.db
      .select({ state: database.state, updatedAt: database.updatedAt })
      .from(database)
      .where(eq(database.id, row.id)),
    context.db
      .select({ id: operation.id })
      .from(operation)
      .where(and(eq(operation.resourceId, row.id), isActive)),
  ]);
  const [now] = rows;
  const isSameRow = now?.state === row.state && now.updatedAt.getTime() === row.updatedAt.getTime();
  return isSameRow && busy.length === 0;
}

type Repair = (context: Context, row: Wanted) => Promise<unknown>;

const repairs: Record<Drift, Repair> = {
  spec: applySpec,
  start: (context, { hostId, databaseName: database }) =>
    context.host.command(hostId, "database.start", { database }),
  stop: (context, { hostId, databaseName: database }) =>
    context.host.command(hostId, "database.stop", { database }),
};
