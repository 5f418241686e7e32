import { and, asc, eq, isNull, lt, ne, type SQL, sql } from "drizzle-orm";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { unavailable } from "../core/error.ts";
import { host } from "./table.ts";

/** A number of backends, or an expression for one. */
type Backends = number | SQL;

// A disk that is fuller takes no new database; those that are there still grow.
const freeBytesMin = 2 * 1024 ** 3;
const freeShareMin = 0.1;

const hasDisk = sql`(disk_free_bytes is null or disk_total_bytes is null
  or disk_free_bytes >= min(${freeBytesMin}, disk_total_bytes * ${freeShareMin}))`;

/**
 * The emptiest active hosts that answer and have room for one more database with so many
 * backends, but for one of them, as a query for the caller's read batch.
 */
export function hostsWithRoom(
  context: Pick<Context, "db">,
  backends: Backends,
  notId: string | null = null,
) {
  return context.db
    .select({ id: host.id })
    .from(host)
    .where(
      and(
        eq(host.state, "active"),
        isNull(host.silentSince),
        hasDisk,
        notId === null ? undefined : ne(host.id, notId),
        lt(host.databasesCount, host.databasesMax),
        sql`${host.backendsCount} + ${backends} <= ${host.backendsMax}`,
      ),
    )
    .orderBy(asc(host.databasesCount), asc(host.seq))
    .limit(1);
}

/**
 * Chooses a host for one more database.
 * @throws ApiError 503 NO_CAPACITY when every host is full, silent or draining, or none is
 * there.
 */
export async function place(context: Pick<Context, "db">, backends: Backends): Promise<string> {
  const [chosen] = await hostsWithRoom(context, backends);
  if (chosen !== undefined) return chosen.id;
  throw unavailable(
    "NO_CAPACITY",
    "No host that answers has room for another database of this size. Delete one, take a " +
      "smaller size, or ask the operator to add a host.",
    30,
  );
}

/**
 * Takes one place and the backends that go with it; the batch aborts when somebody else took the
 * last ones.
 */
export function reserve(context: Context, hostId: string, backends: Backends): Statement {
  return change(context, hostId, {
    databasesCount: sql`databases_count + 1`,
    backendsCount: countedOn(sql`${backends}`),
  });
}

/** Gives one place back, with its backends. */
export function release(context: Context, hostId: string, backends: Backends): Statement {
  return change(context, hostId, {
    databasesCount: sql`databases_count - 1`,
    backendsCount: countedOn(sql`-${backends}`),
  });
}

/** Takes `by` backends more, or gives some back; the batch aborts when there are not as many. */
export function moveBackends(context: Context, hostId: string, by: SQL): Statement {
  return change(context, hostId, { backendsCount: countedOn(by) });
}

/** Sets what a host has to what is counted in the same batch. */
export function correctCount(
  context: Context,
  hostId: string,
  counted: { readonly databases: SQL; readonly backends: SQL },
): Statement {
  return change(context, hostId, {
    databasesCount: counted.databases,
    backendsCount: counted.backends,
  });
}

function change(
  context: Context,
  hostId: string,
  counts: { readonly databasesCount?: SQL; readonly backendsCount: SQL },
): Statement {
  return context.db
    .update(host)
    .set({ ...counts, updatedAt: context.now() })
    .where(eq(host.id, hostId));
}

// NOT NULL aborts what goes beyond. Less is taken always: a maximum may be lowered below the count.
function countedOn(by: SQL): SQL {
  return sql`case when ${by} <= 0 or backends_count + ${by} <= backends_max
    then max(0, backends_count + ${by}) end`;
}
