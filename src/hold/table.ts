import { sql } from "drizzle-orm";
import { check, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { timeColumn } from "../core/column.ts";

/** This D1 as a whole: one row. */
export const installation = sqliteTable(
  "installation",
  {
    id: integer("id").primaryKey(),
    /** Made with the row: a D1 that begins empty has another one. */
    epoch: text("epoch").notNull(),
    /** While set, nothing is repaired or removed by itself. */
    heldAt: timeColumn("held_at"),
    heldReason: text("held_reason"),
    /** The key that holds; null where it was the system itself. */
    heldBy: text("held_by"),
  },
  (t) => [check("installation_is_one", sql`${t.id} = 1`)],
);

/** The row. */
export type InstallationRow = typeof installation.$inferSelect;
