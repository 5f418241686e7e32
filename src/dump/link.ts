// Links that open one archive for a quarter of an hour to whoever has them, without an API key.
import { eq } from "drizzle-orm";
import type { Context } from "../core/context.ts";
import { ApiError, conflict, notFound, unavailable } from "../core/error.ts";
import { isSigned, sign } from "../core/sign.ts";
import { dumpIdIn, dumpName } from "./name.ts";
import { type DumpRow, dump } from "./table.ts";

const linkSeconds = 15 * 60;
const purpose = "download";

function signedText(name: string, expires: number): string {
  return `/downloads/${name}?expires=${expires}`;
}

/** The path of a link to a dump, and when it ends. @throws ApiError 409 BACKUP_NOT_READY */
export async function linkTo(context: Context, row: DumpRow) {
  requireWhole(row);
  const expires = Math.floor(context.now().getTime() / 1000) + linkSeconds;
  const path = signedText(dumpName(row.id), expires);
  const signature = await sign(context.keyring, purpose, path);
  return { path: `${path}&signature=${signature}`, expiresAt: new Date(expires * 1000) };
}

/** What a link is followed with. */
export interface LinkQuery {
  readonly name: string;
  readonly expires: string;
  readonly signature: string;
}

/** The archive behind a link. @throws ApiError 403 LINK_NOT_VALID or LINK_EXPIRED, 404, 503 */
export async function followLink(context: Context, { name, expires, signature }: LinkQuery) {
  const until = Number(expires);
  const text = signedText(name, until);
  if (!/^\d{1,12}$/.test(expires) || !(await isSigned(context.keyring, purpose, text, signature))) {
    throw refuse("LINK_NOT_VALID", "The link is not one of ours, or was changed");
  }
  if (until * 1000 <= context.now().getTime()) {
    throw refuse("LINK_EXPIRED", "The link has expired");
  }
  const [row] = await context.db
    .select()
    .from(dump)
    .where(eq(dump.id, dumpIdIn(name) ?? ""));
  if (row === undefined) throw notFound("backup");
  requireWhole(row);
  return { row, archive: await fetchArchive(context, row) };
}

async function fetchArchive(context: Context, { id, hostId }: DumpRow) {
  const archive = await context.archives.fetch(hostId, id).catch((cause: unknown) => {
    const error = unavailable("HOST_UNAVAILABLE", "The host does not answer; ask again.", 5);
    error.cause = cause;
    throw error;
  });
  if (archive === null) throw notFound("backup");
  return archive;
}

function requireWhole({ id, state }: DumpRow): void {
  if (state === "succeeded") return;
  const message = `The backup is ${state}; only one that succeeded is whole.`;
  throw conflict("BACKUP_NOT_READY", message, { backup_id: dumpName(id), state });
}

function refuse(code: string, problem: string): ApiError {
  return new ApiError(403, code, `${problem}; ask for another with POST …/download.`);
}
