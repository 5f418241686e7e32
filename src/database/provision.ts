// Makes a database real. Law: its URL is shown only after a query succeeded through the pooler
// with that very URL.
import { z } from "zod";
import { release } from "../cluster/place.ts";
import { type Do, defineOperation, next, type Undo } from "../operation/define.ts";
import { recordEvent } from "../webhook/event.ts";
import { heldBackends } from "./backend.ts";
import { changeDatabase } from "./change.ts";
import { openPassword, scramVerifier } from "./credential.ts";
import { loadDatabase } from "./load.ts";
import { applySettings, isDefault } from "./setting.ts";
import { urlsOf } from "./url.ts";

// Beside the id, what no one changes while this is the database's one active operation.
const ProvisionInput = z.object({
  databaseId: z.string(),
  clusterId: z.string(),
  databaseName: z.string(),
  ownerRole: z.string(),
  loginRole: z.string(),
});
type ProvisionInput = z.infer<typeof ProvisionInput>;

const create: Do<ProvisionInput> = async (context, { input }) => {
  const { row } = await loadDatabase(context, input.databaseId);
  const verifier = await scramVerifier(context, await openPassword(context, row));
  await context.cluster.createDatabase(input.clusterId, { ...namesOf(input), verifier });
  return next();
};

// Undone last: nothing of the database is left, so its place is free again.
const drop: Undo<ProvisionInput> = async (context, { input, failure, operationId }) => {
  await context.cluster.dropDatabase(input.clusterId, namesOf(input));
  const { row } = await loadDatabase(context, input.databaseId);
  const errorMessage = failure?.message ?? null;
  return [
    changeDatabase(context, row.id, { state: "failed", errorMessage }),
    recordEvent(context, "database.failed", row, { operationId, data: { reason: errorMessage } }),
    release(context, input.clusterId, heldBackends(row.id)),
  ];
};

// Sets its limits and proves it: the probe is the pooler's first look at the database.
const publish: Do<ProvisionInput> = async (context, { input, operationId }) => {
  const { row, cluster } = await loadDatabase(context, input.databaseId);
  if (!isDefault(row)) await applySettings(context, row);
  const { databaseUrl } = await urlsOf(context, row, cluster);
  const oid = await context.cluster.oidOf(input.clusterId, input.databaseName);
  await context.cluster.probe(input.clusterId, databaseUrl);
  return next(
    changeDatabase(context, row.id, { state: "running", oid }),
    recordEvent(context, "database.running", row, { operationId }),
  );
};

const close: Undo<ProvisionInput> = async (context, { input }) => {
  await context.cluster.forgetDatabase(input.clusterId, input.databaseName);
  return [];
};

function namesOf({ databaseName, ownerRole, loginRole }: ProvisionInput) {
  return { databaseName, ownerRole, loginRole };
}

/** `database.provision`: from a row to a URL that answers. */
export const provision = defineOperation<ProvisionInput>({
  name: "database.provision",
  input: ProvisionInput,
  deadlineMinutes: 10,
  attemptsMax: 20,
  steps: {
    create: { do: create, undo: drop },
    publish: { do: publish, undo: close },
  },
});
