import { and, eq, inArray } from "drizzle-orm";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { operation } from "./table.ts";

/** Asks an operation to unwind at its next step; one that unwinds or has ended goes on as it is. */
export function requestCancel(context: Context, operationId: string): Statement {
  return context.db
    .update(operation)
    .set({ cancelRequestedAt: context.now(), runAfter: context.now() })
    .where(and(eq(operation.id, operationId), inArray(operation.status, ["pending", "running"])));
}
