import { isNotNull } from "drizzle-orm";
import type { Context } from "../core/context.ts";
import { installation } from "./table.ts";

/** That nothing is repaired or removed by itself, since when and why. */
export interface Hold {
  readonly reason: string;
  readonly since: Date;
  /** Id of the key that asked for it; null where it was the system itself. */
  readonly by: string | null;
}

/** The hold that is on; null when there is none. */
export async function holdOf(context: Pick<Context, "db">): Promise<Hold | null> {
  const [row] = await context.db.select().from(installation).where(isNotNull(installation.heldAt));
  if (row?.heldAt == null) return null;
  return { reason: row.heldReason ?? "", since: row.heldAt, by: row.heldBy };
}
