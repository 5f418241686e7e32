import { eq } from "drizzle-orm";
import { commit } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import type { FoundProject } from "./find.ts";
import { project } from "./table.ts";

/** What may change of a project; what is undefined stays. */
export interface ProjectChange {
  readonly name?: string | undefined;
  readonly slug?: string | undefined;
  readonly description?: string | null | undefined;
  readonly metadata?: Record<string, unknown> | undefined;
  readonly settings?: Record<string, unknown> | undefined;
}

/** Changes what is given and leaves the rest. */
export async function updateProject(
  context: Context,
  { id }: FoundProject,
  change: ProjectChange,
): Promise<void> {
  const { name, slug, description, metadata, settings } = change;
  await commit(context, [
    context.db
      .update(project)
      .set({ name, slug, description, metadata, settings, updatedAt: context.now() })
      .where(eq(project.id, id)),
  ]);
}
