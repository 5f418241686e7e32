import type { BatchItem } from "drizzle-orm/batch";
import type { Context } from "./context.ts";

/** One SQL statement as a value: verbs compose by putting theirs into one batch. */
export type Statement = BatchItem<"sqlite">;

const followUps = new WeakMap<Statement, (result: unknown) => void>();

/** Has `follow` called with what the statement returned, once it is committed. */
export function followedBy<Result = unknown>(
  statement: Statement | (Statement & PromiseLike<Result>),
  follow: (result: Result) => void,
): Statement {
  followUps.set(statement, (result) => follow(result as Result));
  return statement;
}

/**
 * Runs the statements as one transaction: all of them or none. No statements is a no-op. The first
 * of a request's has the entry of who asks for it in it.
 */
export async function commit(
  { db, trail }: Pick<Context, "db" | "trail">,
  statements: readonly Statement[],
): Promise<unknown[]> {
  const [first, ...rest] = statements;
  if (first === undefined) return [];
  const results: unknown[] = await db.batch([first, ...rest, ...(trail?.pending() ?? [])]);
  trail?.written();
  for (const [at, statement] of statements.entries()) followUps.get(statement)?.(results[at]);
  return results.slice(0, statements.length);
}

/** The unique index or check a failed batch ran into, or null when it failed otherwise. */
export function violatedConstraint(error: unknown): string | null {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const found = /(?:UNIQUE|CHECK|NOT NULL) constraint failed: ([^:]+)/.exec(cause.message);
    if (found?.[1] !== undefined) return found[1].trim();
  }
  return null;
}
