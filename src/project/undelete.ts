// Brings a deleted project back, with those of its databases that went with it.
import { sql } from "drizzle-orm";
import { countProject } from "../account/quota.ts";
import { reviveWorkspace } from "../account/workspace.ts";
import { violatedConstraint } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { conflict } from "../core/error.ts";
import { remainingDatabases } from "../database/find.ts";
import { beginUndelete } from "../database/undelete.ts";
import { commitExclusively } from "../operation/find.ts";
import { recordEvent } from "../webhook/event.ts";
import { moveProject } from "./change.ts";
import { type FoundProject, subjectOf } from "./find.ts";
import type { ProjectRow } from "./table.ts";

/**
 * Undeletes a project; one that is active stays as it is. The quota counts it again.
 * @throws ApiError 409 INVALID_STATE, PROJECT_SLUG_TAKEN; 403 QUOTA_EXCEEDED
 */
export async function undeleteProject(
  context: Context,
  { id, row }: FoundProject,
  requestId: string,
): Promise<void> {
  if (row.state === "active") return;
  if (row.state !== "deleted") {
    const message = `The project is ${row.state}; it can be undeleted while it is deleted.`;
    throw conflict("INVALID_STATE", message, { state: row.state, resource_id: id });
  }
  const databases = (await remainingDatabases(context, id)).filter(
    (each) => each.deletedWithProject && each.state === "deleted",
  );
  const begun = databases.map((each) => beginUndelete(context, each, requestId));
  const back = { deletedAt: null, purgeAt: null, isDefault: stillDefault(row) };
  try {
    await commitExclusively(
      context,
      databases.map((each) => each.id),
      [
        moveProject(context, row, "active", back),
        countProject(context, row.organizationId, 1),
        reviveWorkspace(context, row.workspaceId),
        recordEvent(context, "project.undeleted", subjectOf(row)),
        ...begun.flatMap((each) => each.statements),
      ],
    );
  } catch (error) {
    throw violatedConstraint(error) === slugIndex ? slugTaken(row) : error;
  }
}

const slugIndex = "project.workspace_id, project.slug";

function slugTaken({ slug }: ProjectRow) {
  const message =
    `Another project of the workspace has the slug ${slug} by now: ` +
    "PATCH the `slug` of one of the two, then undelete.";
  return conflict("PROJECT_SLUG_TAKEN", message, { slug });
}

// A workspace has one default project: when another took over, this one comes back beside it.
function stillDefault({ workspaceId }: ProjectRow) {
  const other = sql`
    select 1 from project as other where other.workspace_id = ${workspaceId}
    and other.is_default = 1 and other.state not in ('deleted', 'purged')`;
  return sql`is_default = 1 and not exists (${other})`;
}
