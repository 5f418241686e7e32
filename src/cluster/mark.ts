import { eq } from "drizzle-orm";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { cluster } from "./table.ts";

/** Has every host take over the state of D1 as it is, whatever it knew. */
export function adoptAll(context: Context): Statement {
  return context.db.update(cluster).set({ adoptsMark: true });
}

/** A host has taken it over. */
export function adopted(context: Context, clusterId: string): Statement {
  return context.db.update(cluster).set({ adoptsMark: false }).where(eq(cluster.id, clusterId));
}
