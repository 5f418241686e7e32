// Backends of a host are counted before they are used: the sum over its databases never exceeds
// what it has memory for, so no client within its limits is refused, whoever else is busy.
import { and, eq, notInArray, type SQL, sql } from "drizzle-orm";
import { planLimitsOf } from "../account/plan.ts";
import { clientsPerBackend } from "../contract/pool.ts";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { type ApiError, conflict } from "../core/error.ts";
import { allHosts, getHost } from "../host/find.ts";
import { moveBackends } from "../host/place.ts";
import type { HostRow } from "../host/table.ts";
import { changeDatabase } from "./change.ts";
import { goneStates } from "./orphan.ts";
import {
  backendsOf,
  type DatabaseSize,
  type Limited,
  type LimitOverrides,
  limitsOf,
  sizeLimits,
} from "./size.ts";
import { type DatabaseRow, database } from "./table.ts";

/** Backends of a new database under its organization's plan of the moment. */
export function backendsOfNew(organizationId: string, size: DatabaseSize): SQL<number> {
  const { poolSize, sessionConnectionsMax, connectionsMax } = sizeLimits[size];
  const plan = planLimitsOf(organizationId, size);
  const limit = (name: keyof LimitOverrides, usual: number) =>
    sql`coalesce(json_extract(${plan}, ${`$.${name}`}), ${usual})`;
  const pools = sql`${limit("poolSize", poolSize)}
    + ${limit("sessionConnectionsMax", sessionConnectionsMax)}`;
  const clients = limit("connectionsMax", connectionsMax);
  // D1 binds numbers as REAL, whose quotient has a fraction.
  const shared = sql`(${clients} + ${clientsPerBackend - 1}) / ${clientsPerBackend}`;
  return sql<number>`max(${pools}, cast(${shared} as integer))`;
}

/** What a host keeps for a database, to be read in the batch that gives it back. */
export function heldBackends(databaseId: string): SQL {
  return sql`(select d.backends from database d where d.id = ${databaseId})`;
}

/** Has a host keep so many for a database; the batch aborts when there are not as many. */
export function holdBackends(
  context: Context,
  { id, hostId }: Pick<DatabaseRow, "id" | "hostId">,
  backends: number,
): Statement[] {
  return [
    moveBackends(context, hostId, sql`(${backends} - ${heldBackends(id)})`),
    changeDatabase(context, id, { backends }),
  ];
}

/** What the limits of a row come to. */
export function backendsFor(row: Limited): number {
  return backendsOf(limitsOf(row));
}

/**
 * Refuses limits for which a database's host has too few backends left.
 * @throws ApiError 409 NO_CAPACITY with the numbers
 */
export async function requireBackends(
  context: Context,
  row: DatabaseRow,
  wanted: Limited,
): Promise<void> {
  const more = backendsFor(wanted) - row.backends;
  if (more > 0) refuseTooMany(await getHost(context, row.hostId), more);
}

/**
 * Refuses a plan for which some host has too few backends left.
 * @throws ApiError 409 NO_CAPACITY with the numbers
 */
export async function requireBackendsOfPlan(
  context: Context,
  organizationId: string,
  plan: Readonly<Record<string, LimitOverrides>>,
): Promise<void> {
  const [rows, hosts] = await context.db.batch([
    context.db
      .select()
      .from(database)
      .where(
        and(
          eq(database.organizationId, organizationId),
          notInArray(database.state, [...goneStates]),
        ),
      ),
    allHosts(context),
  ]);
  for (const each of hosts) {
    const own = rows.filter(({ hostId }) => hostId === each.id);
    const more = own.map((row) => {
      return backendsFor({ ...row, planLimits: plan[row.size] ?? {} }) - row.backends;
    });
    refuseTooMany(
      each,
      more.reduce((sum, one) => sum + one, 0),
    );
  }
}

function refuseTooMany({ backendsMax, backendsCount }: HostRow, more: number): void {
  const left = Math.max(0, backendsMax - backendsCount);
  if (more > left) throw tooFew(more, left, backendsMax);
}

function tooFew(more: number, left: number, backendsMax: number): ApiError {
  return conflict(
    "NO_CAPACITY",
    `These limits take ${more} backends more; the host has ${left} of its ${backendsMax} ` +
      "left. Take fewer, delete a database, or ask the operator to raise the host's " +
      "backends_max.",
    { backends: more, backends_left: left, backends_max: backendsMax },
  );
}
