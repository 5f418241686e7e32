import type { z } from "@hono/zod-openapi";
import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { opaqueName } from "../core/id.ts";
import { driveMilliseconds } from "../core/route.ts";
import { laneOf } from "../database/create.ts";
import { findDatabase } from "../database/find.ts";
import { permit } from "../database/permit.ts";
import type { DatabaseRow } from "../database/table.ts";
import { findEnvironment } from "../environment/find.ts";
import { commitExclusively } from "../operation/find.ts";
import { findProject } from "../project/find.ts";
import { beginRestoreInPlace } from "./in-place.ts";
import { beginRestoreNew } from "./restore-new.ts";
import type { CreateRestore } from "./schema.ts";
import { resolveTarget } from "./target.ts";

/** Whoever asks, and in which request. */
interface Asker {
  readonly context: Context;
  readonly actor: Actor;
  readonly requestId: string;
}

/**
 * Begins what a caller wants restored; the restore's id. Nothing is begun for a bad target.
 * @throws ApiError 404, 409, 422, 503
 */
export async function beginRestore(
  { context, actor, requestId }: Asker,
  databaseId: string,
  { mode = "new", environment, name, ...reference }: z.infer<typeof CreateRestore>,
): Promise<string> {
  const { row } = await findDatabase(context, actor, databaseId);
  if (mode === "in_place") await permit(context, row, "restore");
  const target = await resolveTarget(context, row, reference);
  const place = async () => ({
    ...(await placeOf({ context, actor }, row, environment)),
    name: name ?? `restored-${opaqueName(context, 8)}`,
  });
  const begun =
    mode === "in_place"
      ? beginRestoreInPlace(context, row, target, requestId)
      : await beginRestoreNew(context, row, target, await place(), requestId);
  await commitExclusively(context, [begun.databaseId], begun.statements);
  await context.drive(laneOf(row.projectId), driveMilliseconds);
  return begun.restoreId;
}

async function placeOf(
  { context, actor }: Pick<Asker, "context" | "actor">,
  row: DatabaseRow,
  environment: string | undefined,
) {
  const { id: projectId } = await findProject(context, actor, row.projectId);
  const by = environment === undefined ? { id: row.environmentId } : { name: environment };
  return { projectId, environment: await findEnvironment(context, projectId, by) };
}
