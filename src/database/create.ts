import { planLimitsOf } from "../account/plan.ts";
import { followedBy, type Statement } from "../core/batch.ts";
import type { Attribution } from "../core/column.ts";
import type { Context } from "../core/context.ts";
import { newId, type ProjectId } from "../core/id.ts";
import { place, reserve } from "../host/place.ts";
import { begin } from "../operation/define.ts";
import { recordEvent } from "../webhook/event.ts";
import { backendsOfNew, heldBackends } from "./backend.ts";
import { newPassword } from "./credential.ts";
import { newDatabaseNames } from "./name.ts";
import { provision } from "./provision.ts";
import type { DatabaseSize } from "./size.ts";
import { hostOfClaimed, spareSize, takeSpare, wantSpares } from "./spare.ts";
import { database, type SpareRow } from "./table.ts";

/** What a new database is to be. */
export interface NewDatabase {
  readonly organizationId: string;
  readonly workspaceId: string;
  readonly projectId: ProjectId;
  readonly environment: { readonly id: string; readonly name: string };
  /** Null for the unnamed primary of its environment. */
  readonly name: string | null;
  readonly isPrimary: boolean;
  readonly size: DatabaseSize;
  readonly attribution: Attribution;
  readonly requestId: string | null;
  /** A host with room the caller already knows; chosen here when absent. */
  readonly hostId?: string | undefined;
  /** What it is a branch of, when it is one, and until when. */
  readonly branch?: { readonly of: string; readonly expiresAt: Date };
}

/** Its id, and what makes its row. */
interface MadeDatabase {
  readonly id: string;
  readonly statements: readonly Statement[];
}

// A database nobody uses for so long costs nothing; in production it is always awake, but for a
// branch.
const suspendAfterSeconds = 300;

const isAwake = ({ environment, branch }: NewDatabase) =>
  environment.name === "production" && branch === undefined;

/** The name the unnamed primary of an environment is stored under. */
export const primaryName = "primary";

/**
 * A new database as statements for the verb's own batch: a spare, which runs with that, or a row
 * and the operation that makes it real. The batch of a spare that was taken meanwhile aborts.
 * @throws ApiError 503 NO_CAPACITY
 */
export async function newDatabase(
  context: Context,
  input: NewDatabase,
  spare: SpareRow | null = null,
): Promise<MadeDatabase> {
  return spare === null ? madeDatabase(context, input) : claimedDatabase(context, input, spare);
}

async function madeDatabase(context: Context, input: NewDatabase): Promise<MadeDatabase> {
  const { row, statements } = await newDatabaseRow(context, input);
  const operation = begin(
    context,
    provision,
    {
      lane: laneOf(input.projectId),
      organizationId: input.organizationId,
      workspaceId: input.workspaceId,
      projectId: input.projectId,
      resourceId: row.id,
      requestId: input.requestId,
    },
    { databaseId: row.id, databaseName: row.databaseName },
  );
  const created = recordEvent(context, "database.created", row, { operationId: operation.id });
  const begun = followedBy(operation.statement, () => {
    if (input.size === spareSize) wantSpares(context, row.hostId);
  });
  return { id: row.id, statements: [...statements, begun, created] };
}

// Its place was taken when the spare was made, and its URL was proved then.
function claimedDatabase(context: Context, input: NewDatabase, spare: SpareRow): MadeDatabase {
  const { id, hostId, databaseName, loginRole, passwordSealed, backends } = spare;
  const row = {
    ...newRow(context, input),
    ...{ id, hostId, databaseName, loginRole, passwordSealed, backends },
    state: "running" as const,
  };
  const statements = [
    context.db.insert(database).values({ ...row, hostId: hostOfClaimed(context, spare) }),
    takeSpare(context, spare),
    recordEvent(context, "database.created", row),
    recordEvent(context, "database.running", row),
  ];
  return { id, statements };
}

/**
 * The row of a new database and its place, as statements, for an operation that makes it real.
 * @throws ApiError 503 NO_CAPACITY
 */
export async function newDatabaseRow(context: Context, input: NewDatabase) {
  const backends = backendsOfNew(input.organizationId, input.size);
  const hostId = input.hostId ?? (await place(context, backends));
  const id = newId(context);
  const { passwordSealed } = await newPassword(context, id);
  const row = {
    ...newRow(context, input),
    ...{ id, hostId, ...newDatabaseNames(context), passwordSealed },
    state: "provisioning" as const,
  };
  const statements: Statement[] = [
    context.db
      .insert(database)
      .values({ ...row, backends, planLimits: planLimitsOf(row.organizationId, row.size) }),
    reserve(context, hostId, heldBackends(id)),
  ];
  return { row, statements };
}

function newRow(context: Context, input: NewDatabase) {
  const now = context.now();
  return {
    organizationId: input.organizationId,
    workspaceId: input.workspaceId,
    projectId: input.projectId,
    environmentId: input.environment.id,
    environment: input.environment.name,
    name: input.name ?? primaryName,
    isPrimary: input.isPrimary,
    size: input.size,
    suspendAfterSeconds: isAwake(input) ? 0 : suspendAfterSeconds,
    branchOf: input.branch?.of ?? null,
    expiresAt: input.branch?.expiresAt ?? null,
    ...input.attribution,
    createdAt: now,
    updatedAt: now,
  };
}

/** A project's work is done one at a time. */
export function laneOf(projectId: string): string {
  return `project:${projectId}`;
}
