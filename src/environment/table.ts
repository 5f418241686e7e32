import { index, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { idColumn, seqColumn, timeColumns } from "../core/column.ts";

/** A place a project runs in: `production`, `staging`, `development`, later `preview/<name>`. */
export const environment = sqliteTable(
  "environment",
  {
    seq: seqColumn(),
    id: idColumn(),
    organizationId: text("organization_id").notNull(),
    projectId: text("project_id").notNull(),
    name: text("name").notNull(),
    ...timeColumns(),
  },
  (t) => [
    uniqueIndex("environment_name").on(t.projectId, t.name),
    index("environment_of_project").on(t.projectId, t.seq),
  ],
);

/** One row of the table. */
export type EnvironmentRow = typeof environment.$inferSelect;
