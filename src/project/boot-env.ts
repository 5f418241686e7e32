import { violatedConstraint } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { ApiError, notFound, unavailable } from "../core/error.ts";
import { driveMilliseconds } from "../core/route.ts";
import { laneOf, primaryName } from "../database/create.ts";
import { databasesOf, type PlacedDatabase } from "../database/find.ts";
import { urlsOf } from "../database/url.ts";
import type { EnvironmentRow } from "../environment/table.ts";
import { activeOperations } from "../operation/find.ts";
import { addDatabase } from "./add-database.ts";
import type { Request } from "./create.ts";
import type { FoundProject } from "./find.ts";

/** The complete env of an environment, or which operation it still waits for. */
export type BootEnv =
  | { readonly env: Readonly<Record<string, string>> }
  | { readonly operationId: string | null; readonly state: string };

/**
 * What a sandbox or runtime instance of an environment boots with. The first call of an
 * environment of a project with Postgres makes its database.
 */
export async function bootEnv(
  context: Context,
  request: Request,
  found: FoundProject,
  environment: EnvironmentRow,
): Promise<BootEnv> {
  if (found.row.state !== "active") throw notFound("project");
  const present = await databasesOf(context, found.id, environment.id);
  const isComplete = !found.row.hasPostgres || present.some(({ row }) => row.isPrimary);
  if (!isComplete) await makePrimary(context, request, found, environment);
  const now = isComplete ? present : await databasesOf(context, found.id, environment.id);
  const isSettled = now.every(hasUrl) && (isComplete || now.some(({ row }) => row.isPrimary));
  const databases = isSettled ? now : await settle(context, found, environment);
  const waiting = databases.find((each) => !hasUrl(each));
  if (waiting === undefined) return { env: await envOf(context, databases) };
  const { id, state } = waiting.row;
  const operation = (await activeOperations(context, [id])).get(id);
  return { operationId: operation?.id ?? null, state };
}

async function makePrimary(
  context: Context,
  request: Request,
  found: FoundProject,
  environment: EnvironmentRow,
): Promise<void> {
  try {
    await addDatabase(context, request, found, {
      environment,
      name: null,
      mayBePrimary: true,
      size: found.row.postgresSize ?? "small",
      receiptPath: "databases",
    });
  } catch (error) {
    // Another first call was faster; its database is ours too.
    const isTheirs = error instanceof ApiError && error.code === "ALREADY_EXISTS";
    if (!isTheirs && violatedConstraint(error) === null) throw error;
  }
}

async function settle(context: Context, { id, row }: FoundProject, environment: EnvironmentRow) {
  await context.drive(laneOf(id), driveMilliseconds);
  const databases = await databasesOf(context, id, environment.id);
  if (row.hasPostgres && !databases.some((each) => each.row.isPrimary)) {
    throw unavailable(
      "DATABASE_FAILED",
      `The database of ${environment.name} could not be made; ask again to have it tried anew.`,
      5,
    );
  }
  return databases;
}

// One that is suspended wakes, one that is stopped says so itself: their URLs are what they are.
function hasUrl({ row }: PlacedDatabase): boolean {
  return row.state !== "provisioning" && row.state !== "deleting";
}

async function envOf(context: Context, databases: readonly PlacedDatabase[]) {
  const env: Record<string, string> = {};
  for (const { row, host } of databases) {
    const urls = await urlsOf(context, row, host);
    const named = row.name === primaryName ? [] : [`${variableOf(row.name)}_`];
    for (const prefix of row.isPrimary ? ["", ...named] : named) {
      env[`${prefix}DATABASE_URL`] = urls.databaseUrl;
      env[`${prefix}DATABASE_URL_SESSION`] = urls.databaseUrlSession;
      env[`${prefix}DATABASE_HTTP_URL`] = urls.databaseHttpUrl;
    }
    if (row.isPrimary) env.DIRECT_URL = urls.databaseUrlSession;
  }
  return env;
}

function variableOf(name: string): string {
  return name.toUpperCase().replaceAll("-", "_");
}
