import { eq, sql } from "drizzle-orm";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { organization } from "./table.ts";

/** Counts one project more; the table's check aborts the batch when the quota is used up. */
export function countProject(context: Context, organizationId: string, by: 1 | -1): Statement {
  return context.db
    .update(organization)
    .set({ projectsCount: sql`projects_count + ${by}`, updatedAt: context.now() })
    .where(eq(organization.id, organizationId));
}
