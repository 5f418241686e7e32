import { eq, type SQL, sql } from "drizzle-orm";
import type { SQLiteUpdateSetSource } from "drizzle-orm/sqlite-core";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import type { StoredState } from "./status.ts";
import { type DatabaseRow, database } from "./table.ts";

/** Changes a database's row. */
export function changeDatabase(
  context: Context,
  databaseId: string,
  change: Partial<DatabaseRow>,
): Statement {
  return context.db
    .update(database)
    .set({ ...change, updatedAt: context.now() })
    .where(eq(database.id, databaseId));
}

/**
 * Moves a database on from the state it was read in. The whole batch aborts when it is in another
 * by now, or `also` does not hold: NOT NULL makes it so, and the caller is told 409.
 */
export function moveDatabase(
  context: Context,
  row: Pick<DatabaseRow, "id" | "state">,
  to: StoredState,
  change: SQLiteUpdateSetSource<typeof database> = {},
  also: SQL = sql`true`,
): Statement {
  return context.db
    .update(database)
    .set({
      ...change,
      state: sql`case when state = ${row.state} and ${also} then ${to} end`,
      updatedAt: context.now(),
    })
    .where(eq(database.id, row.id));
}
