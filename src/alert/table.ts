import { sql } from "drizzle-orm";
import { index, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { idColumn, seqColumn, timeColumn, timeColumns } from "../core/column.ts";

/** Something an operator should look at; it resolves itself once its cause is gone. */
export const alert = sqliteTable(
  "alert",
  {
    seq: seqColumn(),
    id: idColumn(),
    kind: text("kind").notNull(),
    /** What it is about: an id, a name in a cluster. One open alert of a kind for each. */
    subject: text("subject").notNull(),
    message: text("message").notNull(),
    details: text("details", { mode: "json" }).$type<Record<string, unknown>>().notNull(),
    resolvedAt: timeColumn("resolved_at"),
    ...timeColumns(),
  },
  (t) => [
    uniqueIndex("alert_open").on(t.kind, t.subject).where(sql`resolved_at is null`),
    index("alert_age").on(t.resolvedAt, t.seq),
  ],
);

/** One row of the table. */
export type AlertRow = typeof alert.$inferSelect;
