// Single tables as they were at a moment, beside the living ones and under names of their own: what
// lives is not touched.
import { z } from "zod";
import type { Context } from "../core/context.ts";
import { newId } from "../core/id.ts";
import { laneOf } from "../database/create.ts";
import type { DatabaseRow } from "../database/table.ts";
import { begin, type Do, defineOperation, goTo, next, type Undo } from "../operation/define.ts";
import {
  changeRestore,
  endRecovery,
  finishRecovery,
  Recovering,
  recover,
  tellFailure,
  unlessLost,
} from "./recover.ts";
import { newRestore } from "./row.ts";
import type { RestoredTable } from "./table.ts";
import type { ResolvedTarget } from "./target.ts";

/** Which table, and what it is to be called beside the living one. */
export type WantedTable = Omit<RestoredTable, "rows">;

const TablesInput = Recovering.extend({
  tables: z.array(z.object({ schema: z.string(), name: z.string(), as: z.string() })),
});
type TablesInput = z.infer<typeof TablesInput>;

const bringBack: Do<TablesInput> = (context, step) => recover(context, step, "restore");

const giveUp: Undo<TablesInput> = async (context, { input, failure }) => {
  await endRecovery(context, input.hostId, input.restoreId);
  return tellFailure(context, input.restoreId, failure?.message ?? null);
};

const copy: Do<TablesInput> = async (context, { input, attempt }) => {
  const { hostId, restoreId, tables } = input;
  const order = { recovery_id: restoreId, tables };
  const asked = context.host.command(hostId, "recovery.copy_tables", order);
  const copied = await unlessLost(attempt, asked);
  if (copied === null) return goTo("bringBack");
  const made = tables.map((each, index) => ({ ...each, rows: copied.rows[index] ?? 0 }));
  return next(changeRestore(context, restoreId, { tables: made }));
};

const cleanUp: Do<TablesInput> = async (context, { input }) => {
  return next(...(await finishRecovery(context, input)));
};

/** `database.restore_tables`: tables as they were, beside those that live. */
export const restoreTables = defineOperation<TablesInput>({
  name: "database.restore_tables",
  input: TablesInput,
  deadlineMinutes: 6 * 60,
  attemptsMax: 20,
  pointOfNoReturn: "copy",
  steps: {
    bringBack: { do: bringBack, undo: giveUp },
    copy: { do: copy },
    cleanUp: { do: cleanUp },
  },
});

/** Begins to bring single tables of a database back beside the living ones. */
export function beginRestoreTables(
  context: Context,
  source: DatabaseRow,
  target: ResolvedTarget,
  tables: readonly WantedTable[],
  requestId: string,
) {
  const { organizationId, workspaceId, projectId, hostId, id: databaseId } = source;
  const restoreId = newId(context);
  const operation = begin(
    context,
    restoreTables,
    {
      ...{ organizationId, workspaceId, projectId, resourceId: databaseId, requestId },
      lane: laneOf(projectId),
    },
    {
      ...{ restoreId, hostId, sourceDatabaseId: databaseId, request: target.request },
      tables: [...tables],
    },
  );
  const own = { tables: tables.map((each) => ({ ...each, rows: null })) };
  const operationId = operation.id;
  const begun = { id: restoreId, databaseId, operationId, mode: "tables", own } as const;
  const statements = [operation.statement, ...newRestore(context, source, target, begun)];
  return { restoreId, databaseId, resourceId: databaseId, statements };
}
