import type { Context } from "../core/context.ts";
import { newId } from "../core/id.ts";
import { standardEnvironments } from "./name.ts";
import { environment } from "./table.ts";

/** The standard environments of a new project: their ids by name, and one statement for all. */
export function newEnvironments(context: Context, organizationId: string, projectId: string) {
  const now = context.now();
  const rows = standardEnvironments.map((name) => ({
    id: newId(context),
    organizationId,
    projectId,
    name,
    createdAt: now,
    updatedAt: now,
  }));
  return { rows, statement: context.db.insert(environment).values(rows) };
}
