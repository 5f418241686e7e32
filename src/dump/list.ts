import type { BaseBackup } from "../contract/base-backup.ts";
import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { notFound, unlessRefused } from "../core/error.ts";
import { findRecoverable } from "../database/find.ts";
import type { DatabaseRow } from "../database/table.ts";
import { ask } from "../host/ask.ts";
import { proofsOf } from "../proof/find.ts";
import { dumpsOf, findDump } from "./find.ts";
import { dumpIdIn } from "./name.ts";
import { renderBaseBackup, renderDump } from "./schema.ts";

/** The base backups of a database, the newest first. @throws ApiError 503 */
export async function baseBackupsOf(
  context: Context,
  { hostId, databaseName: database }: DatabaseRow,
): Promise<BaseBackup[]> {
  const list = () => context.host.command(hostId, "base_backups", { database });
  // Of one whose backups have expired its host knows nothing any more.
  const known = await ask(() => unlessRefused("unknown_database", list()));
  return known?.base_backups.toReversed() ?? [];
}

/** Every backup a database can be restored from, dumps first. @throws ApiError 503 */
export async function listBackups(context: Context, row: DatabaseRow) {
  const [dumps, backups, proofs] = await Promise.all([
    dumpsOf(context, row.id),
    baseBackupsOf(context, row),
    proofsOf(context, row.id),
  ]);
  return [
    ...dumps.map(renderDump),
    ...backups.map((each) => renderBaseBackup(row.id, each, proofs.get(each.label))),
  ];
}

/** One of them; a dump also when its database is purged. @throws ApiError 404, 503 */
export async function findBackup(context: Context, actor: Actor, databaseId: string, name: string) {
  if (dumpIdIn(name) !== null) return renderDump(await findDump(context, actor, databaseId, name));
  const { row } = await findRecoverable(context, actor, databaseId);
  const found = (await baseBackupsOf(context, row)).find(({ label }) => label === name);
  if (found === undefined) throw notFound("backup");
  const proofs = await proofsOf(context, row.id);
  return renderBaseBackup(row.id, found, proofs.get(found.label));
}
