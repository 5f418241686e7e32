import { and, count, desc, eq, inArray } from "drizzle-orm";
import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { notFound } from "../core/error.ts";
import { isOfUser } from "../database/find.ts";
import { dumpIdIn } from "./name.ts";
import { type DumpRow, dump } from "./table.ts";

function visibleTo(context: Context, actor: Actor) {
  return and(
    eq(dump.organizationId, actor.organizationId),
    actor.workspaceId === null ? undefined : eq(dump.workspaceId, actor.workspaceId),
    isOfUser(context, actor, dump.databaseId),
  );
}

/**
 * A dump of a database, which may be purged by now.
 * @throws ApiError 404 also when it is another organization's, or another database's.
 */
export async function findDump(
  context: Context,
  actor: Actor,
  databaseId: string,
  name: string,
): Promise<DumpRow> {
  const id = dumpIdIn(name);
  if (id === null) throw notFound("backup");
  const [row] = await context.db
    .select()
    .from(dump)
    .where(and(visibleTo(context, actor), eq(dump.databaseId, databaseId), eq(dump.id, id)));
  if (row === undefined || row.origin !== "taken") throw notFound("backup");
  return row;
}

/** The dump of a database by its name, for whoever may use the database. @throws ApiError 404 */
export async function dumpOf(context: Context, databaseId: string, name: string): Promise<DumpRow> {
  const [row] = await context.db
    .select()
    .from(dump)
    .where(and(eq(dump.databaseId, databaseId), eq(dump.id, dumpIdIn(name) ?? "")));
  if (row === undefined || row.origin !== "taken") throw notFound("backup");
  return row;
}

/** The dumps that were taken of a database, newest first. */
export function dumpsOf(context: Context, databaseId: string): Promise<DumpRow[]> {
  return context.db
    .select()
    .from(dump)
    .where(and(eq(dump.databaseId, databaseId), eq(dump.origin, "taken")))
    .orderBy(desc(dump.seq));
}

/** How many of them are kept or are being made. */
export async function countKept(context: Context, databaseId: string): Promise<number> {
  const [row] = await context.db
    .select({ n: count() })
    .from(dump)
    .where(
      and(
        eq(dump.databaseId, databaseId),
        eq(dump.origin, "taken"),
        inArray(dump.state, ["pending", "running", "succeeded"]),
      ),
    );
  return row?.n ?? 0;
}

/** True for an archive that a row names, whosever it is. */
export async function isDumpNamed(context: Context, id: string): Promise<boolean> {
  const rows = await context.db.select({ id: dump.id }).from(dump).where(eq(dump.id, id));
  return rows.length > 0;
}
