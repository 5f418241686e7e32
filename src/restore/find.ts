import { and, count, desc, eq, lt } from "drizzle-orm";
import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { notFound, TerminalError } from "../core/error.ts";
import type { PageRequest } from "../core/page.ts";
import { isOfUser } from "../database/find.ts";
import { type RestoreRow, restore } from "./table.ts";

function visibleTo(context: Context, actor: Actor) {
  return and(
    eq(restore.organizationId, actor.organizationId),
    actor.workspaceId === null ? undefined : eq(restore.workspaceId, actor.workspaceId),
    isOfUser(context, actor, restore.sourceDatabaseId),
  );
}

/** @throws ApiError 404 also when it is another organization's. */
export async function findRestore(context: Context, actor: Actor, id: string): Promise<RestoreRow> {
  const [row] = await context.db
    .select()
    .from(restore)
    .where(and(visibleTo(context, actor), eq(restore.id, id)));
  if (row === undefined) throw notFound("restore");
  return row;
}

/** A restore an operation works on. @throws TerminalError GONE */
export async function findRestoreRow(context: Context, id: string): Promise<RestoreRow> {
  const [row] = await context.db.select().from(restore).where(eq(restore.id, id));
  if (row === undefined) throw new TerminalError("GONE", "The restore no longer exists.");
  return row;
}

/** A page of the restores of a database, newest first, and how many there are. */
export async function listRestores(
  context: Context,
  actor: Actor,
  sourceDatabaseId: string,
  page: PageRequest,
) {
  const matches = and(visibleTo(context, actor), eq(restore.sourceDatabaseId, sourceDatabaseId));
  const before = page.beforeSeq === null ? undefined : lt(restore.seq, page.beforeSeq);
  const [rows, totals] = await context.db.batch([
    context.db
      .select()
      .from(restore)
      .where(and(matches, before))
      .orderBy(desc(restore.seq))
      .limit(page.limit)
      .offset(page.offset),
    context.db.select({ total: count() }).from(restore).where(matches),
  ]);
  return { rows, total: totals[0]?.total ?? 0 };
}
