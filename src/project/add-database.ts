import { sql } from "drizzle-orm";
import { attributedUser } from "../core/actor.ts";
import { commit } from "../core/batch.ts";
import { attributionOf } from "../core/column.ts";
import type { Context } from "../core/context.ts";
import { conflict, invalid } from "../core/error.ts";
import { newDatabase, primaryName } from "../database/create.ts";
import { liveDatabases } from "../database/find.ts";
import type { DatabaseSize } from "../database/size.ts";
import { anyOf, sparesFor, withSpares } from "../database/spare.ts";
import type { EnvironmentRow } from "../environment/table.ts";
import { moveProject } from "./change.ts";
import type { Request } from "./create.ts";
import { type FoundProject, requireActive } from "./find.ts";

/** A database to add to an environment of a project. */
export interface AddedDatabase {
  readonly environment: EnvironmentRow;
  /** Null for the unnamed primary. */
  readonly name: string | null;
  /** Whether a named one becomes the environment's primary when it has none. */
  readonly mayBePrimary: boolean;
  readonly size: DatabaseSize;
  readonly metadata?: Record<string, unknown> | undefined;
  /** Whose it is; the project's own when absent. */
  readonly externalUserId?: string | undefined;
  readonly receiptPath: "databases" | "data-services";
}

/**
 * Adds a database. An environment has at most one primary, which DATABASE_URL names; a named one
 * stands beside it as `<NAME>_DATABASE_URL`.
 * @throws ApiError 409 ALREADY_EXISTS or DATABASE_NAME_TAKEN naming the first, 503 NO_CAPACITY
 */
export function addDatabase(
  context: Context,
  request: Request,
  found: FoundProject,
  input: AddedDatabase,
): Promise<string> {
  return withSpares((isLast) => attempt(context, request, found, { ...input, isMade: isLast }));
}

async function attempt(
  context: Context,
  request: Request,
  { id: projectId, row }: FoundProject,
  { isMade, ...input }: AddedDatabase & { readonly isMade: boolean },
): Promise<string> {
  requireActive(row);
  const [present, spares] = await context.db.batch([
    liveDatabases(context, projectId, input.environment.id),
    sparesFor(context, row.organizationId, isMade ? null : input.size),
  ]);
  const primary = present.find((each) => each.isPrimary);
  refuseDuplicate(
    input,
    primary?.id,
    present.find((each) => each.name === input.name),
  );
  const inherited = attributionOf(row);
  refuseOtherUser(inherited.externalUserId, input.externalUserId);
  const attribution = {
    ...inherited,
    externalUserId: attributedUser(request.actor, input.externalUserId) ?? inherited.externalUserId,
    metadata: input.metadata ?? inherited.metadata,
  };
  const added = {
    organizationId: row.organizationId,
    workspaceId: row.workspaceId,
    projectId,
    environment: input.environment,
    name: input.name,
    isPrimary: primary === undefined && (input.name === null || input.mayBePrimary),
    size: input.size,
    attribution,
    requestId: request.requestId,
  };
  const made = await newDatabase(context, added, anyOf(context, spares));
  const path =
    input.receiptPath === "databases"
      ? `/databases/${made.id}`
      : `/projects/${projectId}/data-services/${made.id}`;
  await commit(context, [
    ...made.statements,
    moveProject(context, row, "active", {
      hasPostgres: true,
      postgresSize: sql`coalesce(postgres_size, ${input.size})`,
    }),
    ...request.receipt(path),
  ]);
  return made.id;
}

// Whoever sees a project sees its databases: those of another user are none of it.
function refuseOtherUser(own: string | null, named: string | undefined): void {
  if (own === null || named === undefined || named === own) return;
  throw invalid("external_user_id", "is not the user of this project; leave it out.");
}

function refuseDuplicate(
  { name, environment }: AddedDatabase,
  primaryId: string | undefined,
  namesake: { readonly id: string } | undefined,
): void {
  if (name === null && primaryId !== undefined) {
    throw conflict(
      "ALREADY_EXISTS",
      `The environment ${environment.name} already has its database ${primaryId}; ` +
        "give a second one a `name`.",
      { database_id: primaryId },
    );
  }
  if (name === primaryName) throw invalid("name", `"${primaryName}" is reserved; omit the name.`);
  if (namesake !== undefined) {
    throw conflict(
      "DATABASE_NAME_TAKEN",
      `${environment.name} already has a database of this name.`,
      {
        database_id: namesake.id,
      },
    );
  }
}
