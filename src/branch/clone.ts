// A writable copy of a database as it is now, of an instance that goes on working. Law: its URL is
// shown only after a query succeeded with that very URL.
import { z } from "zod";
import type { Context } from "../core/context.ts";
import { heldBackends } from "../database/backend.ts";
import { changeDatabase } from "../database/change.ts";
import { laneOf, newDatabaseRow } from "../database/create.ts";
import { loadDatabase } from "../database/load.ts";
import { probeDatabase } from "../database/probe.ts";
import { specOf } from "../database/spec.ts";
import type { DatabaseRow } from "../database/table.ts";
import { release } from "../host/place.ts";
import { begin, type Do, defineOperation, next, type Undo } from "../operation/define.ts";
import { heeded } from "../restore/recover.ts";
import { newDatabaseAt, type RestorePlace } from "../restore/restore-new.ts";
import { recordEvent } from "../webhook/event.ts";

const CloneInput = z.object({
  databaseId: z.string(),
  databaseName: z.string(),
  hostId: z.string(),
  sourceName: z.string(),
});
type CloneInput = z.infer<typeof CloneInput>;

const copy: Do<CloneInput> = async (context, { input, attempt }) => {
  const { hostId, databaseName: database, sourceName: source } = input;
  const { row } = await loadDatabase(context, input.databaseId);
  const spec = await specOf(context, row);
  const order = { source, database, spec };
  await heeded(attempt, context.host.command(hostId, "database.branch", order));
  return next();
};

// Undone last: nothing of the branch is left, so its place is free again.
const remove: Undo<CloneInput> = async (context, { input, failure, operationId }) => {
  const { hostId, databaseId, databaseName: database } = input;
  const { row } = await loadDatabase(context, databaseId);
  await context.host.command(hostId, "database.remove", { database });
  const errorMessage = failure?.message ?? null;
  return [
    changeDatabase(context, databaseId, { state: "failed", errorMessage }),
    recordEvent(context, "database.failed", row, { operationId, data: { reason: errorMessage } }),
    release(context, hostId, heldBackends(databaseId)),
  ];
};

const publish: Do<CloneInput> = async (context, { input, operationId }) => {
  const { row } = await loadDatabase(context, input.databaseId);
  await probeDatabase(context, row);
  return next(
    changeDatabase(context, row.id, { state: "running" }),
    recordEvent(context, "database.running", row, { operationId }),
  );
};

/** `database.branch`: a database of its own that begins with what its source holds. */
export const cloneDatabase = defineOperation<CloneInput>({
  name: "database.branch",
  input: CloneInput,
  deadlineMinutes: 60,
  attemptsMax: 20,
  steps: {
    copy: { do: copy, undo: remove },
    publish: { do: publish },
  },
});

/**
 * Begins to branch a database as it is now, on its own host.
 * @throws ApiError 503 NO_CAPACITY
 */
export async function beginClone(
  context: Context,
  source: DatabaseRow,
  place: RestorePlace,
  requestId: string,
) {
  const { organizationId, hostId, databaseName: sourceName } = source;
  const { projectId, workspaceId } = place;
  const made = await newDatabaseRow(context, newDatabaseAt(source, place, requestId));
  const { id: databaseId, databaseName } = made.row;
  const operation = begin(
    context,
    cloneDatabase,
    {
      ...{ organizationId, workspaceId, projectId, resourceId: databaseId, requestId },
      lane: laneOf(projectId),
    },
    { databaseId, databaseName, hostId, sourceName },
  );
  const data = { branch_of: source.id };
  const facts = { operationId: operation.id, data };
  const created = recordEvent(context, "database.created", made.row, facts);
  return { databaseId, statements: [...made.statements, operation.statement, created] };
}
