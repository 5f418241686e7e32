// Makes a database real. Law: its URL is shown only after a query succeeded through the pooler
// with that very URL. Where it is made is what its row says: a host that was never reached has
// begun nothing, and another one takes its place.
import { z } from "zod";
import type { Context } from "../core/context.ts";
import { Unreached } from "../core/error.ts";
import { hostsWithRoom, release, reserve } from "../host/place.ts";
import { noteSilent } from "../host/watch.ts";
import { type Do, defineOperation, goTo, next, type Undo, unreached } from "../operation/define.ts";
import { recordEvent } from "../webhook/event.ts";
import { heldBackends } from "./backend.ts";
import { changeDatabase } from "./change.ts";
import { loadDatabase } from "./load.ts";
import { probeDatabase } from "./probe.ts";
import { specOf } from "./spec.ts";
import type { DatabaseRow } from "./table.ts";

// Beside the id, what no one changes while this is the database's one active operation.
const ProvisionInput = z.object({ databaseId: z.string(), databaseName: z.string() });
type ProvisionInput = z.infer<typeof ProvisionInput>;

const create: Do<ProvisionInput> = async (context, step) => {
  const { row } = await loadDatabase(context, step.input.databaseId);
  const { hostId, databaseName: database } = row;
  try {
    // A command that got no answer may have been begun; a host that is silent before it, has not.
    await context.host.checkReady(hostId);
    const spec = await specOf(context, row);
    await context.host.command(hostId, "database.create", { database, spec });
  } catch (error) {
    const neverBegan = step.attempt <= 1 || step.lastCode === unreached;
    if (!(error instanceof Unreached) || !neverBegan) throw error;
    return placeElsewhere(context, row, error);
  }
  return next();
};

// The silent one is left out of placement until it answers. Without another, this one is waited
// for.
async function placeElsewhere(context: Context, row: DatabaseRow, error: Unreached) {
  const [other] = await hostsWithRoom(context, row.backends, row.hostId);
  if (other === undefined) throw error;
  return goTo(
    "create",
    noteSilent(context, row.hostId, "a new database could not be made there"),
    release(context, row.hostId, heldBackends(row.id)),
    changeDatabase(context, row.id, { hostId: other.id }),
    reserve(context, other.id, heldBackends(row.id)),
  );
}

// Undone last: nothing of the database is left, so its place is free again.
const remove: Undo<ProvisionInput> = async (context, { input, failure, operationId }) => {
  const { row } = await loadDatabase(context, input.databaseId);
  await context.host.command(row.hostId, "database.remove", { database: row.databaseName });
  const errorMessage = failure?.message ?? null;
  return [
    changeDatabase(context, row.id, { state: "failed", errorMessage }),
    recordEvent(context, "database.failed", row, { operationId, data: { reason: errorMessage } }),
    release(context, row.hostId, heldBackends(row.id)),
  ];
};

const publish: Do<ProvisionInput> = async (context, { input, operationId }) => {
  const { row } = await loadDatabase(context, input.databaseId);
  await probeDatabase(context, row);
  return next(
    changeDatabase(context, row.id, { state: "running" }),
    recordEvent(context, "database.running", row, { operationId }),
  );
};

/** `database.provision`: from a row to a URL that answers. */
export const provision = defineOperation<ProvisionInput>({
  name: "database.provision",
  input: ProvisionInput,
  deadlineMinutes: 10,
  attemptsMax: 20,
  steps: {
    create: { do: create, undo: remove },
    publish: { do: publish },
  },
});
