// Stop, start and restart: what the host does first, then what the API says. Data is kept; a
// stopped database has no process and refuses clients until it is started.
import { z } from "zod";
import type { Context } from "../core/context.ts";
import {
  begin,
  type Do,
  defineOperation,
  next,
  type OperationDefinition,
  type Undo,
} from "../operation/define.ts";
import { recordEvent } from "../webhook/event.ts";
import { changeDatabase, moveDatabase } from "./change.ts";
import { laneOf } from "./create.ts";
import { loadDatabase } from "./load.ts";
import { probeDatabase } from "./probe.ts";
import type { DatabaseRow } from "./table.ts";

const PauseInput = z.object({
  databaseId: z.string(),
  hostId: z.string(),
  databaseName: z.string(),
  /** What it was, and is again when the operation is taken back. */
  from: z.enum(["running", "stopped", "suspended"]),
});
type PauseInput = z.infer<typeof PauseInput>;

const holdClients: Do<PauseInput> = async (context, { input }) => {
  await context.host.command(input.hostId, "database.stop", { database: input.databaseName });
  return next();
};

const admitClients: Do<PauseInput> = async (context, { input }) => {
  await context.host.command(input.hostId, "database.start", { database: input.databaseName });
  return next();
};

// One that sleeps is woken: its Postgres is a new one then.
const renew: Do<PauseInput> = async (context, { input }) => {
  const { hostId, databaseName: database, from } = input;
  const verb = from === "suspended" ? "database.start" : "database.restart";
  await context.host.command(hostId, verb, { database });
  return next();
};

// A suspended one runs after it: the start that takes a stop back also wakes.
const admitAgain: Undo<PauseInput> = async (context, { input, operationId }) => {
  const { row } = await loadDatabase(context, input.databaseId);
  await context.host.command(input.hostId, "database.start", { database: input.databaseName });
  return [
    changeDatabase(context, row.id, { state: "running" }),
    ...wake(context, row, input, operationId),
  ];
};

const holdAgain: Undo<PauseInput> = async (context, { input, operationId }) => {
  const { row } = await loadDatabase(context, input.databaseId);
  if (input.from === "stopped") {
    await context.host.command(input.hostId, "database.stop", { database: input.databaseName });
  }
  const state = input.from === "stopped" ? "stopped" : "running";
  return [changeDatabase(context, row.id, { state }), ...wake(context, row, input, operationId)];
};

const publishStopped: Do<PauseInput> = async (context, { input, operationId }) => {
  const { row } = await loadDatabase(context, input.databaseId);
  const data = { reason: "request" };
  return next(
    changeDatabase(context, row.id, { state: "stopped" }),
    recordEvent(context, "database.paused", row, { operationId, data }),
  );
};

const publishStarted: Do<PauseInput> = async (context, { input, operationId }) => {
  const row = await answering(context, input);
  const data = { reason: "request" };
  return next(
    changeDatabase(context, row.id, { state: "running" }),
    recordEvent(context, "database.resumed", row, { operationId, data }),
  );
};

const publishRestarted: Do<PauseInput> = async (context, { input, operationId }) => {
  const row = await answering(context, input);
  return next(
    changeDatabase(context, row.id, { state: "running" }),
    ...wake(context, row, input, operationId),
    recordEvent(context, "database.restarted", row, { operationId }),
  );
};

// One that was suspended runs from here on, though starting it was not what was asked for.
function wake(context: Context, row: DatabaseRow, { from }: PauseInput, operationId: string) {
  const data = { reason: "request" };
  const resumed = () => recordEvent(context, "database.resumed", row, { operationId, data });
  return from === "suspended" ? [resumed()] : [];
}

/** The row, once a query through the pooler with the very URL was answered. */
async function answering(context: Context, { databaseId }: PauseInput): Promise<DatabaseRow> {
  const { row } = await loadDatabase(context, databaseId);
  await probeDatabase(context, row);
  return row;
}

const limits = { deadlineMinutes: 10, attemptsMax: 20, input: PauseInput };

/** `database.stop`: connections end, and new ones are refused until it is started. */
export const stop = defineOperation<PauseInput>({
  ...limits,
  name: "database.stop",
  steps: {
    holdClients: { do: holdClients, undo: admitAgain },
    publish: { do: publishStopped },
  },
});

/** `database.start`: also of a suspended one; it answers before the API says so. */
export const start = defineOperation<PauseInput>({
  ...limits,
  name: "database.start",
  steps: {
    admitClients: { do: admitClients, undo: holdAgain },
    publish: { do: publishStarted },
  },
});

/** `database.restart`: its Postgres is a new one, and clients of the transaction port wait. */
export const restart = defineOperation<PauseInput>({
  ...limits,
  name: "database.restart",
  pointOfNoReturn: "renew",
  steps: {
    renew: { do: renew },
    publish: { do: publishRestarted },
  },
});

const passing = { stop: "stopping", start: "starting", restart: "restarting" } as const;
const definitions: Record<keyof typeof passing, OperationDefinition<PauseInput>> = {
  stop,
  start,
  restart,
};

/** Begins to stop, start or restart a database that its state permits to. */
export function beginPause(
  context: Context,
  verb: keyof typeof passing,
  row: DatabaseRow,
  requestId: string | null,
) {
  const { organizationId, workspaceId, projectId, id: resourceId } = row;
  const lane = laneOf(projectId);
  const subject = { lane, organizationId, workspaceId, projectId, resourceId, requestId };
  const { hostId, databaseName } = row;
  const { state } = row;
  const from = state === "stopped" || state === "suspended" ? state : ("running" as const);
  const input = { databaseId: row.id, hostId, databaseName, from };
  const operation = begin(context, definitions[verb], subject, input);
  const move = moveDatabase(context, row, passing[verb]);
  return { operationId: operation.id, statements: [move, operation.statement] };
}
