import { eq, sql } from "drizzle-orm";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { conflict } from "../core/error.ts";
import { type DatabaseRow, database } from "./table.ts";

/** Protects a database from deletion, or no longer; the batch aborts when it is deleted by now. */
export function protectStatement(
  context: Context,
  databaseId: string,
  deletionProtection: boolean,
): Statement {
  return context.db
    .update(database)
    .set({
      deletionProtection: sql`
        case when state not in ('deleting', 'deleted') then ${deletionProtection} end`,
      updatedAt: context.now(),
    })
    .where(eq(database.id, databaseId));
}

/** That a row is not protected still, for the batch that deletes it. */
export const isUnprotected = sql`deletion_protection = 0`;

/** @throws ApiError 409 DELETION_PROTECTED */
export function requireUnprotected(row: DatabaseRow): void {
  if (!row.deletionProtection) return;
  throw conflict(
    "DELETION_PROTECTED",
    `The database ${row.id} is protected; set its \`deletion_protection\` to false first.`,
    { database_id: row.id },
  );
}
