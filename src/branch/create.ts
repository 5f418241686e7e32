import type { z } from "@hono/zod-openapi";
import type { Actor } from "../core/actor.ts";
import { commit, type Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { opaqueName } from "../core/id.ts";
import { driveMilliseconds } from "../core/route.ts";
import { laneOf } from "../database/create.ts";
import { findRecoverable } from "../database/find.ts";
import { permit } from "../database/permit.ts";
import type { DatabaseRow } from "../database/table.ts";
import { placeOf } from "../restore/place.ts";
import { beginRestoreNew, type RestorePlace } from "../restore/restore-new.ts";
import { resolveTarget } from "../restore/target.ts";
import { beginClone } from "./clone.ts";
import type { CreateBranch } from "./schema.ts";

/** Whoever asks, in which request, and how its answer is found again. */
interface Request {
  readonly context: Context;
  readonly actor: Actor;
  readonly requestId: string;
  readonly receipt: (path: string) => readonly Statement[];
}

// How long a branch stands when nothing else is said.
const branchSeconds = 7 * 86_400;

/**
 * Begins a branch of a database, as it is now or was at a moment, and waits a little; its id.
 * @throws ApiError 404, 409, 422 TARGET_OUTSIDE_WINDOW, 503 NO_CAPACITY
 */
export async function createBranch(
  request: Request,
  sourceId: string,
  wanted: z.infer<typeof CreateBranch>,
): Promise<string> {
  const { context, actor } = request;
  const { row } = await findRecoverable(context, actor, sourceId);
  if (wanted.at === undefined) await permit(context, row, "branch");
  const name = wanted.name ?? `branch-${opaqueName(context, 8)}`;
  const where = await placeOf(request, row, { environment: wanted.environment, name });
  const seconds = wanted.expires_in ?? branchSeconds;
  const expiresAt = new Date(context.now().getTime() + seconds * 1000);
  const place = { ...where, branch: { expiresAt } };
  const { databaseId, statements } = await beginAt(request, row, place, wanted.at);
  await commit(context, [...statements, ...request.receipt(`/databases/${databaseId}`)]);
  await context.drive(laneOf(place.projectId), driveMilliseconds);
  return databaseId;
}

async function beginAt(
  { context, requestId }: Request,
  row: DatabaseRow,
  place: RestorePlace,
  at: string | undefined,
) {
  if (at === undefined) return beginClone(context, row, place, requestId);
  const target = await resolveTarget(context, row, { target_time: at }, "at");
  return beginRestoreNew(context, row, target, place, requestId);
}
