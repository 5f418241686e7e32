import { planLimitsOf } from "../account/plan.ts";
import type { Statement } from "../core/batch.ts";
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
import { database } from "./table.ts";

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

// A database nobody uses for so long costs nothing; in production it is always awake, but for a
// branch.
const suspendAfterSeconds = 300;

const isAwake = ({ environment, branch }: NewDatabase) =>
  environment.name === "production" && branch === undefined;

/** The name the unnamed primary of an environment is stored under. */
export const primaryName = "primary";

/**
 * A new database and the operation that makes it real, as statements for the verb's own batch.
 * @throws ApiError 503 NO_CAPACITY
 */
export async function newDatabase(context: Context, input: NewDatabase) {
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
    {
      databaseId: row.id,
      databaseName: row.databaseName,
      ownerRole: row.ownerRole,
      loginRole: row.loginRole,
    },
  );
  const created = recordEvent(context, "database.created", row, { operationId: operation.id });
  return {
    row,
    operationId: operation.id,
    statements: [...statements, operation.statement, created],
  };
}

/**
 * The row of a new database and its place, as statements, for an operation that makes it real.
 * @throws ApiError 503 NO_CAPACITY
 */
export async function newDatabaseRow(context: Context, input: NewDatabase) {
  const backends = backendsOfNew(input.organizationId, input.size);
  const hostId = input.hostId ?? (await place(context, backends));
  const id = newId(context);
  const now = context.now();
  const { passwordSealed } = await newPassword(context, id);
  const row = {
    id,
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
    state: "provisioning" as const,
    hostId,
    ...newDatabaseNames(context),
    passwordSealed,
    ...input.attribution,
    createdAt: now,
    updatedAt: now,
  };
  const statements: Statement[] = [
    context.db
      .insert(database)
      .values({ ...row, backends, planLimits: planLimitsOf(row.organizationId, row.size) }),
    reserve(context, hostId, heldBackends(id)),
  ];
  return { row, statements };
}

/** A project's work is done one at a time. */
export function laneOf(projectId: string): string {
  return `project:${projectId}`;
}
