// New credentials at once; the old ones work on for the overlap. The URL's user changes too: a
// second login stands beside the first until nobody needs that one.
import { z } from "zod";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { TerminalError, unlessRefused } from "../core/error.ts";
import { begin, type Do, defineOperation, next, type Undo } from "../operation/define.ts";
import { recordEvent } from "../webhook/event.ts";
import { changeDatabase, moveDatabase } from "./change.ts";
import { laneOf } from "./create.ts";
import { newPassword } from "./credential.ts";
import { loadDatabase } from "./load.ts";
import { newLoginName } from "./name.ts";
import { goneStates } from "./orphan.ts";
import { probeDatabase } from "./probe.ts";
import { applySpec } from "./spec.ts";
import type { DatabaseRow, FormerLogin } from "./table.ts";

/** So many former logins work on; of one more the oldest ends early. */
const formersMax = 3;

const RotateInput = z.strictObject({
  databaseId: z.string(),
  oldLogin: z.string(),
  overlapSeconds: z.int(),
});
type RotateInput = z.infer<typeof RotateInput>;

// The row names the new login as pending from the beginning: its spec has it first.
const createLogin: Do<RotateInput> = async (context, { input }) => {
  const { row } = await load(context, input);
  await applySpec(context, row);
  return next();
};

const dropNewLogin: Undo<RotateInput> = async (context, { input }) => {
  const { row } = await loadDatabase(context, input.databaseId);
  const none = { pendingLoginRole: null, pendingPasswordSealed: null };
  await applySpec(context, { ...row, ...none });
  return [changeDatabase(context, row.id, none)];
};

const publish: Do<RotateInput> = async (context, { input, operationId }) => {
  const { row, renewed } = await load(context, input);
  // A stopped one refuses everybody; its credentials are proved when it is started.
  if (row.state !== "stopped") await probeDatabase(context, renewed);
  const { loginRole, passwordSealed, formerLogins } = renewed;
  const none = { pendingLoginRole: null, pendingPasswordSealed: null };
  return next(
    recordEvent(context, "database.credentials_rotated", row, { operationId }),
    changeDatabase(context, row.id, { loginRole, passwordSealed, formerLogins, ...none }),
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

const RetireInput = z.object({ databaseId: z.string(), loginRole: z.string() });
type RetireInput = z.infer<typeof RetireInput>;

const dropLogin: Do<RetireInput> = async (context, { input }) => {
  const { row } = await loadDatabase(context, input.databaseId);
  const formerLogins = row.formerLogins.filter(({ name }) => name !== input.loginRole);
  const isGone = goneStates.some((state) => state === row.state);
  if (!isGone) {
    // One its host has lost is an alert of its own.
    await unlessRefused("unknown_database", applySpec(context, { ...row, formerLogins }));
  }
  return next(changeDatabase(context, row.id, { formerLogins }));
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
function beginRetire(
  context: Context,
  row: DatabaseRow,
  { oldLogin, overlapSeconds }: RotateInput,
): { readonly statement: Statement } {
  const resourceId = `${row.id}/${oldLogin}`;
  const subject = { ...subjectOf(row), resourceId, delaySeconds: overlapSeconds };
  return begin(context, retireLogin, subject, { databaseId: row.id, loginRole: oldLogin });
}

function subjectOf(row: DatabaseRow) {
  const { organizationId, workspaceId, projectId, id: resourceId } = row;
  return { lane: laneOf(projectId), organizationId, workspaceId, projectId, resourceId };
}

// The row, and the same as it will be once the new login is published.
async function load(context: Context, input: RotateInput) {
  const { row } = await loadDatabase(context, input.databaseId);
  const { pendingLoginRole, pendingPasswordSealed } = row;
  if (pendingLoginRole === null || pendingPasswordSealed === null) {
    throw new TerminalError("GONE", "The rotation has nothing to publish.");
  }
  const former: FormerLogin = { name: row.loginRole, passwordSealed: row.passwordSealed };
  const renewed = {
    ...row,
    loginRole: pendingLoginRole,
    passwordSealed: pendingPasswordSealed,
    formerLogins: [former, ...row.formerLogins].slice(0, formersMax),
  };
  return { row, renewed };
}
