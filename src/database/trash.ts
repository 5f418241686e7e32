// The trash of a host: stopped databases that no row names.
import type { HostDatabase } from "../contract/database.ts";
import { commit } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { conflict, notFound } from "../core/error.ts";
import { ask } from "../host/ask.ts";
import { isOurs } from "./drift.ts";
import { forgetOrphan, isNamed, namedOn } from "./orphan.ts";

/** What is in it. @throws ApiError 503 when the host does not answer */
export async function trashOf(context: Context, hostId: string): Promise<HostDatabase[]> {
  const { databases } = await ask(() => context.host.command(hostId, "inventory", {}));
  const named = await namedOn(context, hostId);
  return databases.filter(
    (each) => each.state === "stopped" && isOurs(each) && !named.has(each.database),
  );
}

/** One of them. @throws ApiError 404 when there is none of this name */
export async function findTrash(
  context: Context,
  hostId: string,
  name: string,
): Promise<HostDatabase> {
  const found = (await trashOf(context, hostId)).find(({ database }) => database === name);
  if (found === undefined) throw notFound("database in the trash");
  return found;
}

/** Starts one again: without a row that names it, it is an orphan whose days begin anew. */
export async function restoreTrash(context: Context, hostId: string, database: string) {
  await ask(() => context.host.command(hostId, "database.start", { database }));
  await commit(context, [forgetOrphan(context, hostId, database)]);
}

/** Removes one for good; its backups stay for their window. @throws ApiError 409 NOT_AN_ORPHAN */
export async function dropTrash(context: Context, hostId: string, database: string) {
  // Since it was found a restore may have begun to stand for it.
  if (await isNamed(context, database)) {
    throw conflict("NOT_AN_ORPHAN", `Something names the database ${database} by now.`);
  }
  await ask(() => context.host.command(hostId, "database.remove", { database }));
  await commit(context, [forgetOrphan(context, hostId, database)]);
}
