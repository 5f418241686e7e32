// A database of the project as it was at a moment, beside the one it was: the source is untouched.
import { z } from "zod";
import type { Attribution } from "../core/column.ts";
import type { Context } from "../core/context.ts";
import { newId, type ProjectId } from "../core/id.ts";
import { heldBackends } from "../database/backend.ts";
import { changeDatabase } from "../database/change.ts";
import { laneOf, newDatabaseRow } from "../database/create.ts";
import { loadDatabase } from "../database/load.ts";
import { probeDatabase } from "../database/probe.ts";
import { specOf } from "../database/spec.ts";
import type { DatabaseRow } from "../database/table.ts";
import type { EnvironmentRow } from "../environment/table.ts";
import { release } from "../host/place.ts";
import { begin, type Do, defineOperation, goTo, next, type Undo } from "../operation/define.ts";
import { recordEvent } from "../webhook/event.ts";
import {
  endRecovery,
  finishRecovery,
  Recovering,
  recover,
  tellFailure,
  unlessLost,
} from "./recover.ts";
import { newRestore } from "./row.ts";
import type { ResolvedTarget } from "./target.ts";

const RestoreInput = Recovering.extend({ databaseId: z.string(), databaseName: z.string() });
type RestoreInput = z.infer<typeof RestoreInput>;

const bringBack: Do<RestoreInput> = (context, step) => recover(context, step, "restore");

// Undone last: what the failure was is told by both rows, and the place is free again.
const giveUp: Undo<RestoreInput> = async (context, { input, failure }) => {
  await endRecovery(context, input.hostId, input.restoreId);
  const errorMessage = failure?.message ?? null;
  return [
    ...(await tellFailure(context, input.restoreId, errorMessage)),
    changeDatabase(context, input.databaseId, { state: "failed", errorMessage }),
    release(context, input.hostId, heldBackends(input.databaseId)),
  ];
};

const adopt: Do<RestoreInput> = async (context, { input, attempt }) => {
  const { hostId, restoreId, databaseName: database } = input;
  const { row } = await loadDatabase(context, input.databaseId);
  const spec = await specOf(context, row);
  const order = { recovery_id: restoreId, database, spec };
  const made = await unlessLost(attempt, context.host.command(hostId, "recovery.adopt", order));
  return made === null ? goTo("bringBack") : next();
};

const remove: Undo<RestoreInput> = async (context, { input }) => {
  const { hostId, databaseName: database } = input;
  await context.host.command(hostId, "database.remove", { database });
  return [];
};

const publish: Do<RestoreInput> = async (context, { input, operationId }) => {
  const { row } = await loadDatabase(context, input.databaseId);
  await probeDatabase(context, row);
  const data = { restore_id: input.restoreId };
  return next(
    changeDatabase(context, row.id, { state: "running" }),
    recordEvent(context, "database.running", row, { operationId, data }),
  );
};

const cleanUp: Do<RestoreInput> = async (context, { input }) => {
  return next(...(await finishRecovery(context, input)));
};

/** `database.restore`: a new database that holds what another one held at a moment. */
export const restoreNew = defineOperation<RestoreInput>({
  name: "database.restore",
  input: RestoreInput,
  deadlineMinutes: 6 * 60,
  attemptsMax: 20,
  pointOfNoReturn: "cleanUp",
  steps: {
    bringBack: { do: bringBack, undo: giveUp },
    adopt: { do: adopt, undo: remove },
    publish: { do: publish },
    cleanUp: { do: cleanUp },
  },
});

/** Where a restored database goes. */
export interface RestorePlace {
  readonly projectId: ProjectId;
  readonly workspaceId: string;
  readonly attribution: Attribution;
  readonly environment: EnvironmentRow;
  readonly name: string;
  /** When it is a branch: until when. */
  readonly branch?: { readonly expiresAt: Date };
}

/**
 * Begins to restore into a new database, on the host of its source.
 * @throws ApiError 503 NO_CAPACITY
 */
export async function beginRestoreNew(
  context: Context,
  source: DatabaseRow,
  target: ResolvedTarget,
  place: RestorePlace,
  requestId: string,
) {
  const { organizationId, hostId, id: sourceDatabaseId } = source;
  const { projectId, workspaceId } = place;
  const made = await newDatabaseRow(context, newDatabaseAt(source, place, requestId));
  const { id: databaseId, databaseName } = made.row;
  const restoreId = newId(context);
  const owner = { organizationId, workspaceId, projectId };
  const { request, previewId } = target;
  const recovering = { restoreId, previewId, hostId, request, sourceDatabaseId };
  const operation = begin(
    context,
    restoreNew,
    { lane: laneOf(projectId), ...owner, resourceId: databaseId, requestId },
    { ...recovering, databaseId, databaseName },
  );
  const begun = {
    id: restoreId,
    databaseId,
    operationId: operation.id,
    mode: "new",
    owner,
  } as const;
  return {
    restoreId,
    databaseId,
    resourceId: databaseId,
    statements: [
      ...made.statements,
      operation.statement,
      ...newRestore(context, source, target, begun),
    ],
  };
}

/** The new database that is to hold what its source holds, or held. */
export function newDatabaseAt(source: DatabaseRow, place: RestorePlace, requestId: string) {
  const { organizationId, hostId, size } = source;
  const { projectId, workspaceId, environment, name, attribution, branch } = place;
  const kept =
    branch === undefined ? {} : { branch: { of: source.id, expiresAt: branch.expiresAt } };
  return {
    ...{ organizationId, workspaceId, projectId, environment, name, isPrimary: false },
    ...{ size, attribution, requestId, hostId, ...kept },
  };
}
