// Makes and removes spares. Law: one is ready once a query succeeded with the very URL it will
// have. A row that is gone was claimed, or forgotten: then nothing is touched.
import { eq, sql } from "drizzle-orm";
import { z } from "zod";
import { commit, type Statement, violatedConstraint } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { newId } from "../core/id.ts";
import { release, reserve } from "../host/place.ts";
import { begin, type Do, defineOperation, finish, next, type Undo } from "../operation/define.ts";
import { operator } from "../operation/table.ts";
import { backendsFor } from "./backend.ts";
import { newPassword } from "./credential.ts";
import { newDatabaseNames } from "./name.ts";
import { probeDatabase } from "./probe.ts";
import { asDatabase, spareLane, spareSize } from "./spare.ts";
import { specOf } from "./spec.ts";
import { type SpareRow, spare } from "./table.ts";

const SpareInput = z.object({ spareId: z.string(), databaseName: z.string() });
type SpareInput = z.infer<typeof SpareInput>;

const create: Do<SpareInput> = async (context, { input }) => {
  const row = await load(context, input);
  if (row === null) return finish();
  const { hostId, databaseName: database } = row;
  const spec = await specOf(context, asDatabase(row));
  await context.host.command(hostId, "database.create", { database, spec });
  return next();
};

const undoCreate: Undo<SpareInput> = async (context, { input }) => {
  const row = await load(context, input);
  return row === null ? [] : remove(context, row);
};

const prove: Do<SpareInput> = async (context, { input }) => {
  const row = await load(context, input);
  if (row === null) return finish();
  await probeDatabase(context, asDatabase(row));
  const isReady = { state: "ready" as const, updatedAt: context.now() };
  return next(context.db.update(spare).set(isReady).where(eq(spare.id, row.id)));
};

/** `spare.make`: from a row to a database that answers. */
export const makeSpare = defineOperation<SpareInput>({
  name: "spare.make",
  input: SpareInput,
  deadlineMinutes: 10,
  attemptsMax: 5,
  steps: {
    create: { do: create, undo: undoCreate },
    prove: { do: prove },
  },
});

const removeOne: Do<SpareInput> = async (context, { input }) => {
  const row = await load(context, input);
  return row === null ? finish() : next(...(await remove(context, row)));
};

/** `spare.remove`: nobody wants it any more. */
export const removeSpare = defineOperation<SpareInput>({
  name: "spare.remove",
  input: SpareInput,
  deadlineMinutes: 60,
  attemptsMax: 20,
  pointOfNoReturn: "remove",
  steps: { remove: { do: removeOne } },
});

async function load(context: Context, { spareId }: SpareInput): Promise<SpareRow | null> {
  const [row] = await context.db.select().from(spare).where(eq(spare.id, spareId));
  return row ?? null;
}

async function remove(context: Context, row: SpareRow): Promise<Statement[]> {
  const { hostId, databaseName: database, id } = row;
  await context.host.command(hostId, "database.remove", { database });
  const held = sql`(select s.backends from spare s where s.id = ${id})`;
  return [release(context, hostId, held), context.db.delete(spare).where(eq(spare.id, id))];
}

/** Begins to make one more; false when its host has no room for it. */
export async function beginSpare(context: Context, hostId: string): Promise<boolean> {
  const id = newId(context);
  const now = context.now();
  const backends = backendsFor({ size: spareSize, planLimits: {}, ownLimits: {} });
  const names = newDatabaseNames(context);
  const { passwordSealed } = await newPassword(context, id);
  const row = {
    ...{ id, hostId, backends, ...names, passwordSealed },
    state: "making" as const,
    createdAt: now,
    updatedAt: now,
  };
  const input = { spareId: id, databaseName: names.databaseName };
  const operation = begin(context, makeSpare, subjectOf(row), input);
  try {
    await commit(context, [
      reserve(context, hostId, backends),
      context.db.insert(spare).values(row),
      operation.statement,
    ]);
    return true;
  } catch (error) {
    if (violatedConstraint(error) === null) throw error;
    return false;
  }
}

/** Begins to remove one that nobody has claimed; one that is claimed meanwhile stays. */
export async function leaveSpare(context: Context, row: SpareRow): Promise<void> {
  const { id: spareId, databaseName } = row;
  const operation = begin(context, removeSpare, subjectOf(row), { spareId, databaseName });
  const state = sql`case state when 'ready' then 'leaving' end`;
  try {
    await commit(context, [
      context.db
        .update(spare)
        .set({ state, updatedAt: context.now() })
        .where(eq(spare.id, spareId)),
      operation.statement,
    ]);
  } catch (error) {
    if (violatedConstraint(error) === null) throw error;
  }
}

function subjectOf({ id: resourceId, hostId }: Pick<SpareRow, "id" | "hostId">) {
  const nobody = { organizationId: operator, workspaceId: null, projectId: null };
  return { ...nobody, lane: spareLane(hostId), resourceId };
}
