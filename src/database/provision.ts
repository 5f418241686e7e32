// Makes a database real. Law: its URL is shown only after a query succeeded through the pooler
// with that very URL.
import { eq } from "drizzle-orm";
import { z } from "zod";
import { release } from "../cluster/place.ts";
import type { Context } from "../core/context.ts";
import { TerminalError } from "../core/error.ts";
import { type Do, defineOperation, next, type Undo } from "../operation/define.ts";
import { openPassword, scramVerifier } from "./credential.ts";
import { poolsToSet } from "./size.ts";
import { type DatabaseRow, database } from "./table.ts";
import { urlsOf } from "./url.ts";

const ProvisionInput = z.object({ databaseId: z.string() });
type ProvisionInput = z.infer<typeof ProvisionInput>;

const createRole: Do<ProvisionInput> = async (context, { input }) => {
  const row = await load(context, input.databaseId);
  const verifier = await scramVerifier(context, await openPassword(context, row));
  const { ownerRole, loginRole } = row;
  await context.cluster.createRoles(row.clusterId, { ownerRole, loginRole, verifier });
  return next();
};

// Undone last: nothing of the database is left, so its place is free again.
const dropRole: Undo<ProvisionInput> = async (context, { input, failure }) => {
  const row = await load(context, input.databaseId);
  if (row.state === "failed") return [];
  await context.cluster.dropRoles(row.clusterId, row);
  const now = context.now();
  const change = {
    state: "failed",
    errorMessage: failure?.message ?? null,
    updatedAt: now,
  } as const;
  return [
    context.db.update(database).set(change).where(eq(database.id, row.id)),
    release(context, row.clusterId),
  ];
};

const createDatabase: Do<ProvisionInput> = async (context, { input }) => {
  const row = await load(context, input.databaseId);
  await context.cluster.createDatabase(row.clusterId, row.databaseName, row.ownerRole);
  return next();
};

const dropDatabase: Undo<ProvisionInput> = async (context, { input }) => {
  const row = await load(context, input.databaseId);
  await context.cluster.dropDatabase(row.clusterId, row.databaseName);
  return [];
};

const openPool: Do<ProvisionInput> = async (context, { input }) => {
  const row = await load(context, input.databaseId);
  const pools = poolsToSet(row.size);
  if (pools !== null) await context.cluster.setPools(row.clusterId, row.databaseName, pools);
  return next();
};

const closePool: Undo<ProvisionInput> = async (context, { input }) => {
  const row = await load(context, input.databaseId);
  if (poolsToSet(row.size) !== null) {
    await context.cluster.setPools(row.clusterId, row.databaseName, null);
  }
  return [];
};

const publish: Do<ProvisionInput> = async (context, { input }) => {
  const row = await load(context, input.databaseId);
  const { databaseUrl } = await urlsOf(context, row);
  await context.cluster.probe(row.clusterId, databaseUrl);
  const change = { state: "running", updatedAt: context.now() } as const;
  return next(context.db.update(database).set(change).where(eq(database.id, row.id)));
};

async function load(context: Context, id: string): Promise<DatabaseRow> {
  const [row] = await context.db.select().from(database).where(eq(database.id, id));
  if (row === undefined) throw new TerminalError("GONE", "The database no longer exists.");
  return row;
}

/** `database.provision`: from a row to a URL that answers. */
export const provision = defineOperation<ProvisionInput>({
  name: "database.provision",
  input: ProvisionInput,
  deadlineMinutes: 10,
  attemptsMax: 20,
  steps: {
    createRole: { do: createRole, undo: dropRole },
    createDatabase: { do: createDatabase, undo: dropDatabase },
    openPool: { do: openPool, undo: closePool },
    publish: { do: publish },
  },
});
