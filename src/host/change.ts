// What an operator changes of a host that is registered, and how it is forgotten.
import { and, eq, like } from "drizzle-orm";
import { resolveAlerts } from "../alert/raise.ts";
import { alert } from "../alert/table.ts";
import { commit } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { conflict } from "../core/error.ts";
import { refuseTooFew } from "./register.ts";
import { type HostRow, host } from "./table.ts";

/** What may change; what is undefined stays. */
export interface HostChange {
  readonly name?: string | undefined;
  readonly state?: HostRow["state"] | undefined;
  readonly databasesMax?: number | undefined;
}

/** @throws ApiError 409 NAME_TAKEN, 422 for fewer databases than there are */
export async function updateHost(
  context: Context,
  { id, databasesCount }: HostRow,
  change: HostChange,
): Promise<void> {
  refuseTooFew(change.databasesMax ?? databasesCount, databasesCount);
  await commit(context, [
    context.db
      .update(host)
      .set({ ...change, updatedAt: context.now() })
      .where(eq(host.id, id)),
  ]);
}

/**
 * Forgets a host that holds no database, deleted ones in their grace time included; nothing of
 * it is touched, so it can be registered again.
 * @throws ApiError 409 HOST_NOT_EMPTY
 */
export async function forgetHost(context: Context, row: HostRow): Promise<void> {
  const notEmpty = () =>
    conflict(
      "HOST_NOT_EMPTY",
      `The host has ${row.databasesCount} databases, also deleted ones in their grace time: ` +
        "PATCH its state to draining, and forget it once they are gone.",
      { databases_count: row.databasesCount },
    );
  if (row.databasesCount > 0) throw notEmpty();
  const isEmpty = and(eq(host.id, row.id), eq(host.databasesCount, 0));
  const ofHost = like(alert.subject, `${row.id}%`);
  const kinds = ["host_silent", "archive_late", "backup_failed", "server_failed"] as const;
  await commit(context, [
    context.db.delete(host).where(isEmpty),
    ...kinds.map((kind) => resolveAlerts(context, kind, ofHost)),
  ]);
  const left = await context.db.select({ id: host.id }).from(host).where(eq(host.id, row.id));
  if (left.length > 0) throw notEmpty();
}
