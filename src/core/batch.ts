import type { BatchItem } from "drizzle-orm/batch";
import type { Context } from "./context.ts";

/** One SQL statement as a value: verbs compose by putting theirs into one batch. */
export type Statement = BatchItem<"sqlite">;

/** Runs the statements as one transaction: all of them or none. No statements is a no-op. */
export async function commit(
  context: Pick<Context, "db">,
  statements: readonly Statement[],
): Promise<unknown[]> {
  const [first, ...rest] = statements;
  return first === undefined ? [] : await context.db.batch([first, ...rest]);
}

/** The unique index or check a failed batch ran into, or null when it failed otherwise. */
export function violatedConstraint(error: unknown): string | null {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const found = /(?:UNIQUE|CHECK|NOT NULL) constraint failed: ([^:]+)/.exec(cause.message);
    if (found?.[1] !== undefined) return found[1].trim();
  }
  return null;
}
