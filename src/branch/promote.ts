// Gives a branch's content to the database it was branched from, at that one's URL: the branch is
// dumped, and the dump is restored in place like any other. What served is put aside, and an undo
// brings it back. The branch itself stays as it is.
import { z } from "zod";
import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { ApiError, conflict, TerminalError, unlessRefused } from "../core/error.ts";
import { newId } from "../core/id.ts";
import { laneOf } from "../database/create.ts";
import { findDatabase } from "../database/find.ts";
import { loadDatabase } from "../database/load.ts";
import { permit } from "../database/permit.ts";
import type { DatabaseRow } from "../database/table.ts";
import { begin, type Do, defineOperation, next, type Undo, waitFor } from "../operation/define.ts";
import { bringBack, exchange, InPlaceInput, settle } from "../restore/in-place.ts";
import { endRecovery, finishRecovery, tellFailure } from "../restore/recover.ts";
import { newRestore } from "../restore/row.ts";

const PromoteInput = InPlaceInput.extend({ branchId: z.string(), dumpId: z.string() });
type PromoteInput = z.infer<typeof PromoteInput>;

const lookSeconds = 0.5;

async function ask(context: Context, { hostId, branchId, dumpId }: PromoteInput): Promise<void> {
  const { row } = await loadDatabase(context, branchId);
  const order = { dump_id: dumpId, database: row.databaseName };
  await context.host.command(hostId, "dump.start", order);
}

async function removeDump(context: Context, { hostId, dumpId }: PromoteInput): Promise<void> {
  await context.host.command(hostId, "dump.remove", { dump_id: dumpId });
}

const dump: Do<PromoteInput> = async (context, { input }) => {
  await ask(context, input);
  return next();
};

const dropDump: Undo<PromoteInput> = async (context, { input, failure }) => {
  await removeDump(context, input);
  return tellFailure(context, input.restoreId, failure?.message ?? null);
};

const awaitDump: Do<PromoteInput> = async (context, { input }) => {
  const { hostId, dumpId: dump_id } = input;
  const asked = context.host.command(hostId, "dump.status", { dump_id });
  const found = await unlessRefused("unknown_dump", asked);
  // The host was restarted meanwhile and has forgotten it, with all it had written.
  if (found === null) await ask(context, input);
  if (found?.state === "failed") {
    throw new TerminalError("BACKUP_FAILED", found.error ?? "The branch could not be dumped.");
  }
  return found?.state === "succeeded" ? next() : waitFor(lookSeconds);
};

const giveUp: Undo<PromoteInput> = async (context, { input }) => {
  await endRecovery(context, input.hostId, input.restoreId);
  return [];
};

const cleanUp: Do<PromoteInput> = async (context, { input }) => {
  await removeDump(context, input);
  return next(...(await finishRecovery(context, input)));
};

/** `database.promote_branch`: clients of the source wait for the exchange alone. */
export const promoteBranch = defineOperation<PromoteInput>({
  name: "database.promote_branch",
  input: PromoteInput,
  deadlineMinutes: 12 * 60,
  attemptsMax: 20,
  pointOfNoReturn: "exchange",
  steps: {
    dump: { do: dump, undo: dropDump },
    awaitDump: { do: awaitDump },
    bringBack: { do: bringBack, undo: giveUp },
    exchange: { do: exchange },
    settle: { do: settle },
    cleanUp: { do: cleanUp },
  },
});

/**
 * The database a branch was branched from, when its content may be replaced now.
 * @throws ApiError 409 NOT_A_BRANCH or SOURCE_GONE, or as `permit` for either of them
 */
export async function sourceOf(
  context: Context,
  actor: Actor,
  branch: DatabaseRow,
): Promise<DatabaseRow> {
  const { branchOf } = branch;
  if (branchOf === null) {
    throw conflict("NOT_A_BRANCH", "The database is no branch: there is nothing it belongs to.");
  }
  await permit(context, branch, "backup");
  try {
    const { row } = await findDatabase(context, actor, branchOf);
    await permit(context, row, "restore");
    return row;
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
    const message = "What it was branched from is gone: make it the primary with …/promote.";
    throw conflict("SOURCE_GONE", message, { branch_of: branchOf });
  }
}

/** Begins to give a branch's content to its source. */
export function beginPromoteBranch(
  context: Context,
  branch: DatabaseRow,
  source: DatabaseRow,
  requestId: string,
) {
  const { organizationId, workspaceId, projectId, hostId, id: databaseId } = source;
  const [restoreId, dumpId] = [newId(context), newId(context)];
  const request = { database: source.databaseName, dump_id: dumpId };
  const recovering = { restoreId, hostId, request, sourceDatabaseId: databaseId, databaseId };
  const operation = begin(
    context,
    promoteBranch,
    {
      ...{ organizationId, workspaceId, projectId, resourceId: databaseId, requestId },
      lane: laneOf(projectId),
    },
    { ...recovering, branchId: branch.id, dumpId },
  );
  const words = `branch ${branch.id}`;
  const target = { request, source: "branch", backupLabel: null, words } as const;
  const begun = { id: restoreId, databaseId, operationId: operation.id, mode: "in_place" } as const;
  const statements = [operation.statement, ...newRestore(context, source, target, begun)];
  return { restoreId, statements };
}
