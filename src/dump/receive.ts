// An archive a caller sends: kept for as long as it takes to load it, and a day beyond.
import type { StoredDump } from "../contract/dump.ts";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { ApiError, unavailable } from "../core/error.ts";
import { newId } from "../core/id.ts";
import { limitsOf } from "../database/size.ts";
import type { DatabaseRow } from "../database/table.ts";
import { changeDump, failDump } from "./change.ts";
import { dump } from "./table.ts";

const keptMilliseconds = 86_400_000;

/** An archive that has come whole. */
export interface Received {
  readonly dumpId: string;
  readonly stored: StoredDump;
}

/**
 * Has the database's host keep what comes; its row is there before it.
 * @throws ApiError 413 ARCHIVE_TOO_LARGE, 422 when it is no archive, 503
 */
export async function receiveDump(
  context: Context,
  row: DatabaseRow,
  content: ReadableStream<Uint8Array>,
): Promise<Received> {
  const dumpId = newId(context);
  await insertReceived(context, row, dumpId);
  const bytesMax = limitsOf(row).storageBytesMax;
  try {
    const sent = await context.archives.send(row.hostId, dumpId, content, bytesMax);
    if (sent.refusal === null) return { dumpId, stored: sent.stored };
    throw refusalOf(sent.refusal, bytesMax);
  } catch (error) {
    const told = error instanceof ApiError ? error : unreachable(error);
    await forgetReceived(context, dumpId, told.message);
    throw told;
  }
}

async function insertReceived(context: Context, row: DatabaseRow, id: string): Promise<void> {
  const { organizationId, workspaceId, projectId, hostId, id: databaseId } = row;
  const now = context.now();
  await context.db.insert(dump).values({
    ...{ id, organizationId, workspaceId, projectId, hostId, databaseId },
    origin: "received",
    state: "running",
    expiresAt: new Date(now.getTime() + keptMilliseconds),
    createdAt: now,
    updatedAt: now,
  });
}

/** Has an archive go with the next look at what is out of date. */
export async function forgetReceived(context: Context, dumpId: string, why: string) {
  const statements: [Statement, Statement] = [
    failDump(context, dumpId, why),
    changeDump(context, dumpId, { expiresAt: context.now() }),
  ];
  await context.db.batch(statements);
}

/** @throws nothing; 413 names the ceiling and what to do about it. */
function refusalOf(
  { code, message }: { readonly code: string; readonly message: string },
  bytesMax: number,
) {
  if (code === "archive_too_large") return tooLarge(bytesMax);
  if (code === "not_an_archive") {
    return new ApiError(422, "NOT_AN_ARCHIVE", `body: ${message}`, { fields: { body: [message] } });
  }
  return unavailable("HOST_UNAVAILABLE", `The host could not keep it: ${message}`, 30);
}

/** 413 for an archive that is larger than all its database may hold. */
export function tooLarge(bytesMax: number): ApiError {
  const message =
    `The archive is larger than the database's storage ceiling of ${bytesMax} bytes; ` +
    "resize the database first.";
  return new ApiError(413, "ARCHIVE_TOO_LARGE", message, { details: { bytes_max: bytesMax } });
}

function unreachable(cause: unknown): ApiError {
  const message = "The archive did not reach the host whole; send it again.";
  const error = unavailable("HOST_UNAVAILABLE", message, 5);
  error.cause = cause;
  return error;
}
