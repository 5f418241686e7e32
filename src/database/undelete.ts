// Brings a deleted database back within its grace time, as it was: same URL, same password.
import { and, eq } from "drizzle-orm";
import { z } from "zod";
import type { Context } from "../core/context.ts";
import { conflict } from "../core/error.ts";
import { begin, type Do, defineOperation, next, type Undo } from "../operation/define.ts";
import { recordEvent } from "../webhook/event.ts";
import { changeDatabase, moveDatabase } from "./change.ts";
import { laneOf } from "./create.ts";
import { isLive } from "./find.ts";
import { loadDatabase } from "./load.ts";
import { probeDatabase } from "./probe.ts";
import { type DatabaseRow, database } from "./table.ts";

const UndeleteInput = z.object({
  databaseId: z.string(),
  hostId: z.string(),
  databaseName: z.string(),
  to: z.enum(["running", "stopped"]),
});
type UndeleteInput = z.infer<typeof UndeleteInput>;

const admitClients: Do<UndeleteInput> = async (context, { input }) => {
  if (input.to === "running") {
    await context.host.command(input.hostId, "database.start", { database: input.databaseName });
  }
  return next();
};

const holdAgain: Undo<UndeleteInput> = async (context, { input }) => {
  await context.host.command(input.hostId, "database.stop", { database: input.databaseName });
  return [changeDatabase(context, input.databaseId, { state: "deleted" })];
};

const publish: Do<UndeleteInput> = async (context, { input, operationId }) => {
  const { row } = await loadDatabase(context, input.databaseId);
  if (input.to === "running") await probeDatabase(context, row);
  const none = { deletedAt: null, purgeAt: null, stateBeforeDelete: null };
  return next(
    changeDatabase(context, row.id, { state: input.to, ...none }),
    recordEvent(context, "database.undeleted", row, { operationId }),
  );
};

/** `database.undelete`: it answers before the API says that it runs. */
export const undelete = defineOperation<UndeleteInput>({
  name: "database.undelete",
  input: UndeleteInput,
  deadlineMinutes: 10,
  attemptsMax: 20,
  steps: {
    admitClients: { do: admitClients, undo: holdAgain },
    publish: { do: publish },
  },
});

/**
 * Begins to undelete a database. From here on its name and its place as primary are its own again:
 * the batch aborts when somebody else has them by now.
 */
export function beginUndelete(context: Context, row: DatabaseRow, requestId: string | null) {
  const { organizationId, workspaceId, projectId, id: resourceId } = row;
  const lane = laneOf(projectId);
  const subject = { lane, organizationId, workspaceId, projectId, resourceId, requestId };
  const { hostId, databaseName, id: databaseId } = row;
  const to = row.stateBeforeDelete ?? "running";
  const input = { databaseId, hostId, databaseName, to };
  const operation = begin(context, undelete, subject, input);
  const move = moveDatabase(context, row, "starting", { deletedWithProject: false });
  return { operationId: operation.id, statements: [move, operation.statement] };
}

/**
 * Refuses what the batch of an undelete would run into, saying what to do about it.
 * @throws ApiError 409 ALREADY_EXISTS or NAME_TAKEN, naming the database that is in the way
 */
export async function requireFree(context: Context, row: DatabaseRow): Promise<void> {
  const others = await context.db
    .select()
    .from(database)
    .where(and(eq(database.environmentId, row.environmentId), isLive));
  const primary = others.find((other) => row.isPrimary && other.isPrimary);
  const remedy = "delete that one first, then undelete this one.";
  if (primary !== undefined) {
    throw conflict(
      "ALREADY_EXISTS",
      `The environment ${row.environment} has another primary database by now, ${primary.id}: ` +
        remedy,
      { database_id: primary.id },
    );
  }
  const namesake = others.find((other) => other.name === row.name);
  if (namesake === undefined) return;
  throw conflict(
    "NAME_TAKEN",
    `The database ${namesake.id} has the name ${row.name} by now: ${remedy}`,
    { database_id: namesake.id },
  );
}
