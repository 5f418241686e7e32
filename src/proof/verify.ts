// Has a host prove its backups: some databases are restored, looked at, and what was found is
// signed. Law: a verification that did not come to its end certifies nothing.
import { eq, inArray } from "drizzle-orm";
import { z } from "zod";
import type { VerificationReport } from "../contract/verification.ts";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { TerminalError, unlessRefused } from "../core/error.ts";
import { newId } from "../core/id.ts";
import { type DatabaseRow, database } from "../database/table.ts";
import { begin, type Do, defineOperation, next, type Undo, waitFor } from "../operation/define.ts";
import { operator } from "../operation/table.ts";
import { certify } from "./certificate.ts";
import { type VerificationRow, verification } from "./table.ts";

const VerifyInput = z.strictObject({
  verificationId: z.string(),
  hostId: z.string(),
  /** Each with the id its certificate will have. */
  databases: z.array(z.object({ databaseId: z.string(), certificateId: z.string() })),
});
type VerifyInput = z.infer<typeof VerifyInput>;

const lookSeconds = 2;
// D1 takes at most a hundred values in a statement.
const rowsPerRead = 50;

/** States in which a database is there to be verified. */
export const verifiable = ["running", "suspended", "stopped"] as const;

async function rowsOf(context: Context, { databases }: VerifyInput): Promise<DatabaseRow[]> {
  const ids = databases.slice(0, rowsPerRead).map(({ databaseId }) => databaseId);
  return context.db.select().from(database).where(inArray(database.id, ids));
}

const isThere = ({ state }: DatabaseRow) => verifiable.some((each) => each === state);

/** Begins it on the host, with what is still there; false when nothing is. */
async function ask(context: Context, input: VerifyInput): Promise<boolean> {
  const rows = (await rowsOf(context, input)).filter(isThere);
  const databases = rows.map(({ id, databaseName }) => {
    return { database_id: id, database: databaseName };
  });
  if (databases.length === 0) return false;
  const { hostId, verificationId: verification_id } = input;
  const order = { verification_id, databases };
  await context.host.command(hostId, "verification.start", order);
  return true;
}

const start: Do<VerifyInput> = async (context, { input }) => {
  await ask(context, input);
  return next();
};

async function endOnHost(context: Context, input: VerifyInput): Promise<void> {
  const { hostId, verificationId: verification_id } = input;
  await context.host.command(hostId, "verification.end", { verification_id });
}

const giveUp: Undo<VerifyInput> = async (context, { input, failure }) => {
  await endOnHost(context, input);
  return [end(context, input, "failed", failure?.message ?? "It was given up.")];
};

const finish: Do<VerifyInput> = async (context, { input }) => {
  const { hostId, verificationId: verification_id } = input;
  const asked = context.host.command(hostId, "verification.status", { verification_id });
  const found = await unlessRefused("unknown_verification", asked);
  // The host was restarted meanwhile and has forgotten it; or there is nothing left to look at.
  if (found === null) {
    const isBegun = await ask(context, input);
    return isBegun ? waitFor(lookSeconds) : next(end(context, input, "succeeded"));
  }
  if (found.state === "running") return waitFor(lookSeconds);
  if (found.state === "failed" || found.versions === null) {
    throw new TerminalError("VERIFICATION_FAILED", found.error ?? "The host gave no reason.");
  }
  const certificates = await certificatesOf(context, input, found, found.versions);
  return next(...certificates, end(context, input, "succeeded"));
};

async function certificatesOf(
  context: Context,
  input: VerifyInput,
  { databases }: VerificationReport,
  versions: NonNullable<VerificationReport["versions"]>,
): Promise<Statement[]> {
  const rows = await rowsOf(context, input);
  const certified = input.databases.flatMap(({ databaseId, certificateId: id }) => {
    const row = rows.find((each) => each.id === databaseId);
    const found = databases.find((each) => each.database_id === databaseId);
    if (row === undefined || found === undefined) return [];
    return [{ id, verificationId: input.verificationId, row, found, versions }];
  });
  return certify(context, certified);
}

function end(
  context: Context,
  { verificationId }: VerifyInput,
  state: VerificationRow["state"],
  errorMessage: string | null = null,
) {
  const now = context.now();
  return context.db
    .update(verification)
    .set({ state, errorMessage, endedAt: now, updatedAt: now })
    .where(eq(verification.id, verificationId));
}

/** `host.verify_backup`: databases restored beside the live ones, looked at, and certified. */
export const verifyBackup = defineOperation<VerifyInput>({
  name: "host.verify_backup",
  input: VerifyInput,
  deadlineMinutes: 12 * 60,
  attemptsMax: 20,
  steps: {
    start: { do: start, undo: giveUp },
    finish: { do: finish },
  },
});

/** What a verification works on: one at a time of a host, beside its base backups. */
export function verificationResource(hostId: string): string {
  return `${hostId}/verification`;
}

/** Begins to verify databases of a host; a second active verification aborts the batch. */
export function beginVerification(
  context: Context,
  hostId: string,
  databaseIds: readonly string[],
) {
  const verificationId = newId(context);
  const now = context.now();
  const databases = databaseIds.map((databaseId) => ({
    databaseId,
    certificateId: newId(context),
  }));
  const operation = begin(
    context,
    verifyBackup,
    {
      lane: `host:${hostId}`,
      organizationId: operator,
      workspaceId: null,
      projectId: null,
      resourceId: verificationResource(hostId),
    },
    { verificationId, hostId, databases },
  );
  const insert = context.db.insert(verification).values({
    id: verificationId,
    hostId,
    state: "running",
    databases: databases.length,
    createdAt: now,
    updatedAt: now,
  });
  return {
    verificationId,
    operationId: operation.id,
    statements: [insert, operation.statement],
  };
}
