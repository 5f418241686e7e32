import { eq, type SQL, sql } from "drizzle-orm";
import type { SQLiteUpdateSetSource } from "drizzle-orm/sqlite-core";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { type ProjectRow, project } from "./table.ts";

/** Changes a project's row. */
export function changeProject(
  context: Context,
  id: string,
  change: SQLiteUpdateSetSource<typeof project>,
): Statement {
  return context.db
    .update(project)
    .set({ ...change, updatedAt: context.now() })
    .where(eq(project.id, id));
}

/**
 * Moves a project on from the state it was read in. The whole batch aborts when it is in another
 * by now, or `also` does not hold: NOT NULL makes it so, and the caller is told 409.
 */
export function moveProject(
  context: Context,
  { id, state }: Pick<ProjectRow, "id" | "state">,
  to: ProjectRow["state"],
  change: SQLiteUpdateSetSource<typeof project> = {},
  also: SQL = sql`true`,
): Statement {
  const moved = sql`case when state = ${state} and ${also} then ${to} end`;
  return changeProject(context, id, { ...change, state: moved });
}
