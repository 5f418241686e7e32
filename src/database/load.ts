import { eq } from "drizzle-orm";
import type { Context } from "../core/context.ts";
import { notFound, TerminalError } from "../core/error.ts";
import { allHosts } from "../host/find.ts";
import { type PlacedDatabase, withHosts } from "./find.ts";
import { database } from "./table.ts";

/**
 * The database an operation works on, whatever its state.
 * @throws TerminalError GONE
 */
export async function loadDatabase(context: Context, id: string): Promise<PlacedDatabase> {
  const [rows, hosts] = await context.db.batch([
    context.db.select().from(database).where(eq(database.id, id)),
    allHosts(context),
  ]);
  const [found] = withHosts(rows, hosts);
  if (found === undefined) throw new TerminalError("GONE", "The database no longer exists.");
  return found;
}

/** The database an operator names, whosever it is. @throws ApiError 404 also when it is purged. */
export async function loadForOperator(context: Context, id: string): Promise<PlacedDatabase> {
  const found = await loadDatabase(context, id).catch((error: unknown) => {
    if (error instanceof TerminalError) throw notFound("database");
    throw error;
  });
  if (found.row.state === "purged") throw notFound("database");
  return found;
}
