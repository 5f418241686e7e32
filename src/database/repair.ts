// Makes a host again what a row asks for. Law: whoever repairs has looked again right before.
import { and, eq } from "drizzle-orm";
import type { Context } from "../core/context.ts";
import { messageOf } from "../core/error.ts";
import { isActive, operation } from "../operation/table.ts";
import type { Drift, Wanted } from "./drift.ts";
import { applySpec } from "./spec.ts";
import { database } from "./table.ts";

/**
 * Repairs a database's drifts one by one; one that fails does not stop the others. The drifts that
 * are left, or null when the row has changed meanwhile and the next look decides.
 */
export async function repairDrifts(
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
