// Brings a deleted database back within its grace time, as it was: same URL, same password.
import { z } from "zod";
import type { Context } from "../core/context.ts";
import { begin, type Do, defineOperation, next, type Undo } from "../operation/define.ts";
import { recordEvent } from "../webhook/event.ts";
import { changeDatabase, moveDatabase } from "./change.ts";
import { laneOf } from "./create.ts";
import { loadDatabase } from "./load.ts";
import type { DatabaseRow } from "./table.ts";
import { urlsOf } from "./url.ts";

const UndeleteInput = z.object({
  databaseId: z.string(),
  clusterId: z.string(),
  databaseName: z.string(),
  to: z.enum(["running", "stopped"]),
});
type UndeleteInput = z.infer<typeof UndeleteInput>;

const admitClients: Do<UndeleteInput> = async (context, { input }) => {
  if (input.to === "running") {
    await context.cluster.startDatabase(input.clusterId, input.databaseName);
  }
  return next();
};

const holdAgain: Undo<UndeleteInput> = async (context, { input }) => {
  await context.cluster.stopDatabase(input.clusterId, input.databaseName);
  return [changeDatabase(context, input.databaseId, { state: "deleted" })];
};

const publish: Do<UndeleteInput> = async (context, { input, operationId }) => {
  const { row, cluster } = await loadDatabase(context, input.databaseId);
  if (input.to === "running") {
    const { databaseUrl } = await urlsOf(context, row, cluster);
    await context.cluster.probe(input.clusterId, databaseUrl);
  }
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
  const { clusterId, databaseName, id: databaseId } = row;
  const to = row.stateBeforeDelete ?? "running";
  const input = { databaseId, clusterId, databaseName, to };
  const operation = begin(context, undelete, subject, input);
  const move = moveDatabase(context, row, "starting");
  return { operationId: operation.id, statements: [move, operation.statement] };
}
