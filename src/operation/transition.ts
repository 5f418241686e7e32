import { eq, sql } from "drizzle-orm";
import { commit, type Statement, violatedConstraint } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { type OperationRow, operation } from "./table.ts";

/** Another runner took the lane over; what this one was about to record did not happen. */
export class LeaseLost extends Error {
  override readonly name = "LeaseLost";
}

/**
 * Moves an operation on, together with the rows its step changed: one batch.
 * The row as it is afterwards, or null when the operation has ended.
 * @throws LeaseLost when `row.leaseToken` is no longer the row's; nothing has changed then.
 */
export async function transition(
  context: Context,
  row: OperationRow,
  change: Partial<OperationRow>,
  effect: { readonly statements: readonly Statement[] } = { statements: [] },
): Promise<OperationRow | null> {
  const token = row.leaseToken;
  const move = context.db
    .update(operation)
    .set({
      ...change,
      // NOT NULL: a foreign token makes this null, and so aborts the whole batch.
      leaseToken: sql`case when lease_token = ${token} then lease_token end`,
      updatedAt: context.now(),
    })
    .where(eq(operation.id, row.id))
    .returning();
  try {
    const [moved] = (await commit(context, [move, ...effect.statements])) as [OperationRow[]];
    const after = moved[0] ?? null;
    return after === null || after.finishedAt !== null ? null : after;
  } catch (error) {
    if (violatedConstraint(error) === "operation.lease_token") throw new LeaseLost();
    throw error;
  }
}
