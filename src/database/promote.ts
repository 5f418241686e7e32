// Which database of an environment DATABASE_URL names: rows alone change, in one batch.
import { and, eq, ne, sql } from "drizzle-orm";
import { commit, type Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { opaqueName } from "../core/id.ts";
import { recordEvent } from "../webhook/event.ts";
import { moveDatabase } from "./change.ts";
import { primaryName } from "./create.ts";
import { isLive } from "./find.ts";
import { permit } from "./permit.ts";
import { type DatabaseRow, database } from "./table.ts";

/**
 * Makes a database the primary of its environment; the one that was stays beside it, with a name.
 * A branch does not expire any more. One that is primary already is left so. The batch aborts when
 * its state has changed meanwhile.
 * @throws ApiError 409 INVALID_STATE or OPERATION_IN_PROGRESS
 */
export async function promoteDatabase(context: Context, row: DatabaseRow): Promise<void> {
  await permit(context, row, "promote");
  if (row.isPrimary) return;
  const [former] = await context.db.select().from(database).where(isPrimaryBeside(row));
  const data = { former_database_id: former?.id ?? null };
  await commit(context, [
    demoteOthers(context, row),
    moveDatabase(context, row, row.state, { isPrimary: true, expiresAt: null }),
    recordEvent(context, "database.promoted", row, { data }),
  ]);
}

function isPrimaryBeside({ id, environmentId }: DatabaseRow) {
  return and(
    eq(database.environmentId, environmentId),
    ne(database.id, id),
    sql`is_primary = 1`,
    isLive,
  );
}

// The unnamed one gets a name: it has its own variables then, and a later primary can be unnamed.
function demoteOthers(context: Context, row: DatabaseRow): Statement {
  const name = `${primaryName}-${opaqueName(context, 8)}`;
  return context.db
    .update(database)
    .set({
      isPrimary: false,
      name: sql`case name when ${primaryName} then ${name} else name end`,
      updatedAt: context.now(),
    })
    .where(isPrimaryBeside(row));
}
