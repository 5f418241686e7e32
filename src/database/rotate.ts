// New credentials at once; the old ones work on for the overlap. The URL's user changes too: a
// second login stands beside the first until nobody needs that one.
import { eq } from "drizzle-orm";
import { z } from "zod";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { TerminalError } from "../core/error.ts";
import { begin, type Do, defineOperation, next, type Undo } from "../operation/define.ts";
import { recordEvent } from "../webhook/event.ts";
import { moveDatabase } from "./change.ts";
import { laneOf } from "./create.ts";
import { newPassword, openPassword, scramVerifier } from "./credential.ts";
import { loadDatabase } from "./load.ts";
import { newLoginName } from "./name.ts";
import { probeDatabase } from "./probe.ts";
import { type DatabaseRow, database } from "./table.ts";

const RotateInput = z.strictObject({
  databaseId: z.string(),
  oldLogin: z.string(),
  overlapSeconds: z.int(),
});
type RotateInput = z.infer<typeof RotateInput>;

const createLogin: Do<RotateInput> = async (context, { input }) => {
  const { row, renewed } = await load(context, input);
  const verifier = await scramVerifier(context, await openPassword(context, renewed));
  await context.host.createLogin(row.hostId, { ...namesOf(renewed), verifier });
  return next();
};

const dropNewLogin: Undo<RotateInput> = async (context, { input }) => {
  const { row, renewed } = await load(context, input);
  await context.host.dropLogin(row.hostId, namesOf(renewed));
  return [update(context, row, { pendingLoginRole: null, pendingPasswordSealed: null })];
};

const publish: Do<RotateInput> = async (context, { input, operationId }) => {
  const { row, renewed, host } = await load(context, input);
  // A stopped one refuses everybody; its credentials are proved when it is started.
  if (row.state !== "stopped") await probeDatabase(context, { row: renewed, host });
  const { loginRole, passwordSealed } = renewed;
  const none = { pendingLoginRole: null, pendingPasswordSealed: null };
  return next(
    recordEvent(context, "database.credentials_rotated", row, { operationId }),
    update(context, row, { loginRole, passwordSealed, ...none }),
    beginRetire(context, row, input).statement,
  );
};

/** `database.rotate`: the new login answers before the API names it. */
export const rotate = defineOperation<RotateInput>({
  name: "database.rotate",
  input: RotateInput,
  deadlineMinutes: 10,
  attemptsMax: 20,
  steps: {
    createLogin: { do: createLogin, undo: dropNewLogin },
    publish: { do: publish },
  },
});

const RetireInput = z.object({
  hostId: z.string(),
  databaseName: z.string(),
  ownerRole: z.string(),
  loginRole: z.string(),
});
type RetireInput = z.infer<typeof RetireInput>;

const dropLogin: Do<RetireInput> = async (context, { input }) => {
  await context.host.dropLogin(input.hostId, input);
  return next();
};

/** `database.retire`: after the overlap the old login goes, and its sessions with it. */
export const retireLogin = defineOperation<RetireInput>({
  name: "database.retire",
  input: RetireInput,
  deadlineMinutes: 60,
  attemptsMax: 20,
  pointOfNoReturn: "dropLogin",
  steps: { dropLogin: { do: dropLogin } },
});

/** Begins to rotate a database's credentials. */
export async function beginRotate(
  context: Context,
  row: DatabaseRow,
  overlapSeconds: number,
  requestId: string,
) {
  const { passwordSealed: pendingPasswordSealed } = await newPassword(context, row.id);
  const input = { databaseId: row.id, oldLogin: row.loginRole, overlapSeconds };
  const operation = begin(context, rotate, { ...subjectOf(row), requestId }, input);
  const pendingLoginRole = newLoginName(context);
  const move = moveDatabase(context, row, row.state, { pendingLoginRole, pendingPasswordSealed });
  return { operationId: operation.id, statements: [move, operation.statement] };
}

// Its resource is the old login, so that the database is free for other work meanwhile.
function beginRetire(context: Context, row: DatabaseRow, input: RotateInput) {
  const { hostId, databaseName, ownerRole } = row;
  const subject = {
    ...subjectOf(row),
    resourceId: `${row.id}/${input.oldLogin}`,
    delaySeconds: input.overlapSeconds,
  };
  const names = { hostId, databaseName, ownerRole, loginRole: input.oldLogin };
  return begin(context, retireLogin, subject, names);
}

function subjectOf(row: DatabaseRow) {
  const { organizationId, workspaceId, projectId, id: resourceId } = row;
  return { lane: laneOf(projectId), organizationId, workspaceId, projectId, resourceId };
}

// The row, and the same as it will be once the new login is published.
async function load(context: Context, input: RotateInput) {
  const { row, host } = await loadDatabase(context, input.databaseId);
  const { pendingLoginRole, pendingPasswordSealed } = row;
  if (pendingLoginRole === null || pendingPasswordSealed === null) {
    throw new TerminalError("GONE", "The rotation has nothing to publish.");
  }
  const renewed = { ...row, loginRole: pendingLoginRole, passwordSealed: pendingPasswordSealed };
  return { row, renewed, host };
}

function update(context: Context, { id }: DatabaseRow, change: Partial<DatabaseRow>): Statement {
  return context.db
    .update(database)
    .set({ ...change, updatedAt: context.now() })
    .where(eq(database.id, id));
}

function namesOf({ databaseName, ownerRole, loginRole }: DatabaseRow) {
  return { databaseName, ownerRole, loginRole };
}
