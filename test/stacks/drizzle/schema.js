import { sql } from "drizzle-orm";
import { check, integer, jsonb, pgTable, text, timestamp } from "drizzle-orm/pg-core";

export const person = pgTable("person", {
  id: integer().primaryKey().generatedAlwaysAsIdentity(),
  name: text().notNull(),
  tags: text().array().notNull(),
  data: jsonb(),
  madeAt: timestamp("made_at", { withTimezone: true }).notNull().defaultNow(),
});

export const account = pgTable(
  "account",
  { id: integer().primaryKey(), balance: integer().notNull() },
  (table) => [check("balance_left", sql`${table.balance} >= 0`)],
);
