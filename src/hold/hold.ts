// The one switch that stops every automatic repair and removal: what a person puts on, and what
// goes on by itself where D1 looks younger than what a host holds.
import { eq, sql } from "drizzle-orm";
import { raiseAlert, resolveAlerts } from "../alert/raise.ts";
import { alert } from "../alert/table.ts";
import { commit, type Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { newId } from "../core/id.ts";
import { adoptAll } from "../host/mark.ts";
import { type InstallationRow, installation } from "./table.ts";

const kind = "repairs_held";
const subject = "installation";
const isRow = eq(installation.id, 1);

/** The row of this D1, made when it is not there. */
export async function ensureInstallation(context: Context): Promise<InstallationRow> {
  const [row] = await context.db
    .insert(installation)
    .values({ id: 1, epoch: newId(context) })
    .onConflictDoUpdate({ target: installation.id, set: { epoch: sql`epoch` } })
    .returning();
  if (row === undefined) throw new Error("The upsert returned no row.");
  return row;
}

/**
 * Stops every automatic repair and removal. One that is on keeps its age, and its words unless a
 * person has others.
 */
export async function holdRepairs(
  context: Context,
  reason: string,
  by: string | null,
): Promise<void> {
  const { heldAt, heldReason, heldBy } = await ensureInstallation(context);
  const isNew = heldAt === null || by !== null;
  const words = isNew ? reason : (heldReason ?? reason);
  const message =
    `Nothing is repaired or removed by itself: ${words} ` +
    "DELETE /admin/hold once that is right.";
  await commit(context, [
    context.db
      .update(installation)
      .set({
        heldAt: heldAt ?? context.now(),
        heldReason: words,
        heldBy: isNew ? by : heldBy,
      })
      .where(isRow),
    raiseAlert(context, { kind, subject, message, details: { reason: words } }),
  ]);
}

/**
 * Lets repairs go on. What the hosts hold counts as seen: they take over the state of D1 as it is.
 */
export async function releaseRepairs(context: Context): Promise<void> {
  const release: Statement = context.db
    .update(installation)
    .set({ heldAt: null, heldReason: null, heldBy: null })
    .where(isRow);
  await commit(context, [
    release,
    adoptAll(context),
    resolveAlerts(context, kind, eq(alert.subject, subject)),
  ]);
}
