// Makes a host again what a row asks for. Law: whoever repairs has looked again right before.

import { and, eq } from "drizzle-orm";
import type { Context } from "../core/context.ts";
import { messageOf } from "../core/error.ts";
import { isActive, operation } from "../operation/table.ts";
import { openPassword, scramVerifier } from "./credential.ts";
import { type Drift, type Found, foreignParameters, groupOf, type Wanted } from "./drift.ts";
import { applySettings } from "./setting.ts";
import { database } from "./table.ts";

/**
 * Repairs a database's drifts one by one; one that fails does not stop the others. The drifts that
 * are left, or null when the row has changed meanwhile and the next look decides.
 */
export async function repairDrifts(
  context: Context,
  row: Wanted,
  drifts: readonly Drift[],
  found: Found,
): Promise<Drift[] | null> {
  if (!(await isUnchanged(context, row))) return null;
  const left: Drift[] = [];
  for (const drift of drifts) {
    const facts = { host: row.hostId, database: row.id, drift };
    try {
      await repairs[drift](context, row, found);
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

type Repair = (context: Context, row: Wanted, found: Found) => Promise<void>;

const repairs: Record<Drift, Repair> = {
  login: (context, row, found) => repairLogin(context, row, found, null),
  // Its password is the row's: whoever has its URL from the API must get in, and nobody else.
  password: async (context, row, found) => {
    const verifier = await scramVerifier(context, await openPassword(context, row));
    await repairLogin(context, row, found, verifier);
  },
  start: (context, row) => context.host.startDatabase(row.hostId, row.databaseName),
  access: (context, row, { databases }) =>
    context.host.repairAccess(row.hostId, {
      databaseName: row.databaseName,
      ownerRole: row.ownerRole,
      mayCreate: row.storageState !== "full",
      parameters: foreignParameters(databases.get(row.databaseName)),
    }),
  objects: (context, { hostId, databaseName, ownerRole, loginRole }) =>
    context.host.adoptObjects(hostId, { databaseName, ownerRole, loginRole }),
  settings: applySettings,
  stop: (context, row) => context.host.stopDatabase(row.hostId, row.databaseName),
};

function repairLogin(context: Context, row: Wanted, found: Found, verifier: string | null) {
  const { hostId, databaseName, ownerRole, loginRole } = row;
  const groupRole = groupOf(row, found);
  const wanted = { databaseName, ownerRole, loginRole, groupRole, verifier };
  return context.host.repairLogin(hostId, wanted);
}
