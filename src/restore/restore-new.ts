// A database of the project as it was at a moment, beside the one it was: the source is untouched.
import { z } from "zod";
import type { Attribution } from "../core/column.ts";
import type { Context } from "../core/context.ts";
import { newId, type ProjectId } from "../core/id.ts";
import { heldBackends } from "../database/backend.ts";
import { changeDatabase } from "../database/change.ts";
import { laneOf, newDatabaseRow } from "../database/create.ts";
import { openPassword, scramVerifier } from "../database/credential.ts";
import { loadDatabase } from "../database/load.ts";
import { applySettings, isDefault } from "../database/setting.ts";
import type { DatabaseRow } from "../database/table.ts";
import { urlsOf } from "../database/url.ts";
import type { EnvironmentRow } from "../environment/table.ts";
import { release } from "../host/place.ts";
import { begin, type Do, defineOperation, next, type Undo } from "../operation/define.ts";
import { recordEvent } from "../webhook/event.ts";
import {
  changeRestore,
  finishRecovery,
  giveUpRecovery,
  loadInto,
  Recovering,
  recover,
} from "./recover.ts";
import { restore } from "./table.ts";
import type { ResolvedTarget } from "./target.ts";
import { tellRestore } from "./tell.ts";

const RestoreInput = Recovering.extend({
  databaseId: z.string(),
  databaseName: z.string(),
  ownerRole: z.string(),
  loginRole: z.string(),
});
type RestoreInput = z.infer<typeof RestoreInput>;

const bringBack: Do<RestoreInput> = (context, { input }) => recover(context, input);

// Undone last: what the failure was is told by both rows, and the place is free again.
const giveUp: Undo<RestoreInput> = async (context, { input, failure }) => {
  await giveUpRecovery(context, input);
  const errorMessage = failure?.message ?? null;
  const finishedAt = context.now();
  return [
    changeRestore(context, input.restoreId, { state: "failed", errorMessage, finishedAt }),
    changeDatabase(context, input.databaseId, { state: "failed", errorMessage }),
    ...(await tellRestore(context, "restore.failed", input.restoreId, { reason: errorMessage })),
    release(context, input.hostId, heldBackends(input.databaseId)),
  ];
};

const create: Do<RestoreInput> = async (context, { input }) => {
  const { row } = await loadDatabase(context, input.databaseId);
  const verifier = await scramVerifier(context, await openPassword(context, row));
  await context.host.createDatabase(input.hostId, { ...namesOf(input), verifier });
  if (!isDefault(row)) await applySettings(context, row);
  return next();
};

const drop: Undo<RestoreInput> = async (context, { input }) => {
  await context.host.dropDatabase(input.hostId, namesOf(input));
  await context.host.forgetDatabase(input.hostId, input.databaseName);
  return [];
};

const load: Do<RestoreInput> = (context, { input }) =>
  loadInto(context, input, input.databaseName, async () => {
    const { row } = await loadDatabase(context, input.databaseId);
    const password = await openPassword(context, row);
    return { user: input.loginRole, password };
  });

const publish: Do<RestoreInput> = async (context, { input, operationId }) => {
  const { row, host } = await loadDatabase(context, input.databaseId);
  const { databaseUrl } = await urlsOf(context, row, host);
  await context.host.probe(input.hostId, databaseUrl);
  const oid = await context.host.oidOf(input.hostId, input.databaseName);
  const data = { restore_id: input.restoreId };
  return next(
    changeDatabase(context, row.id, { state: "running", oid }),
    recordEvent(context, "database.running", row, { operationId, data }),
  );
};

const cleanUp: Do<RestoreInput> = async (context, { input }) => {
  return next(...(await finishRecovery(context, input)));
};

function namesOf({ databaseName, ownerRole, loginRole }: RestoreInput) {
  return { databaseName, ownerRole, loginRole };
}

/** `database.restore`: a new database that holds what another one held at a moment. */
export const restoreNew = defineOperation<RestoreInput>({
  name: "database.restore",
  input: RestoreInput,
  deadlineMinutes: 6 * 60,
  attemptsMax: 20,
  pointOfNoReturn: "cleanUp",
  steps: {
    bringBack: { do: bringBack, undo: giveUp },
    create: { do: create, undo: drop },
    load: { do: load },
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
}

/**
 * Begins to restore into a new database, on the host of its source.
 * @throws ApiError 503 NO_CAPACITY
 */
export async function beginRestoreNew(
  context: Context,
  source: DatabaseRow,
  { request, words, source: madeFrom, backupLabel, previewId }: ResolvedTarget,
  place: RestorePlace,
  requestId: string,
) {
  const { organizationId, hostId } = source;
  const { projectId, workspaceId } = place;
  const made = await newDatabaseRow(context, {
    organizationId,
    workspaceId,
    projectId,
    environment: place.environment,
    name: place.name,
    isPrimary: false,
    size: source.size,
    attribution: place.attribution,
    requestId,
    hostId,
  });
  const { id: databaseId, databaseName, ownerRole, loginRole } = made.row;
  const restoreId = newId(context);
  const owner = { organizationId, workspaceId, projectId };
  const operation = begin(
    context,
    restoreNew,
    { lane: laneOf(projectId), ...owner, resourceId: databaseId, requestId },
    { restoreId, previewId, hostId, request, databaseId, databaseName, ownerRole, loginRole },
  );
  const now = context.now();
  const row = {
    id: restoreId,
    ...owner,
    sourceDatabaseId: source.id,
    databaseId,
    hostId,
    operationId: operation.id,
    mode: "new" as const,
    state: "pending" as const,
    source: madeFrom,
    backupLabel,
    requestedTarget: words,
    previewId,
    createdAt: now,
    updatedAt: now,
  };
  const insert = context.db.insert(restore).values(row);
  const resourceId = databaseId;
  const data = { mode: "new", database_id: databaseId, source_database_id: source.id };
  const subject = { ...source, ...owner, id: restoreId };
  const facts = { operationId: operation.id, data };
  const told = recordEvent(context, "restore.created", subject, facts);
  return {
    restoreId,
    databaseId,
    resourceId,
    statements: [...made.statements, operation.statement, insert, told],
  };
}
