import { and, eq } from "drizzle-orm";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { newId } from "../core/id.ts";
import { host } from "./table.ts";

/** Has every host take over the state of D1 as it is, whatever it knew. */
export function adoptAll(context: Context): Statement {
  return context.db.update(host).set({ adoptsMark: true });
}

/** Writes down what a host will be told; a D1 brought back from before that does not know it. */
export async function prepareMark(context: Context, hostId: string): Promise<string> {
  const markPending = newId(context);
  await context.db.update(host).set({ markPending }).where(eq(host.id, hostId));
  return markPending;
}

/** A host has taken over what it was told; the next one is written down with that. */
export function markTaken(context: Context, hostId: string, state: string): Statement {
  return context.db
    .update(host)
    .set({ markConfirmed: state, markPending: newId(context), adoptsMark: false })
    .where(and(eq(host.id, hostId), eq(host.markPending, state)));
}
