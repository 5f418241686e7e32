// What a host's suspensions and wakes change of rows, as statements.
import { and, inArray } from "drizzle-orm";
import type { Transition } from "../contract/transition.ts";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { recordEvent } from "../webhook/event.ts";
import { type DatabaseRow, database } from "./table.ts";

/** Values in one `in (…)`: a statement of D1 takes a hundred in all. */
export const valuesMax = 90;

/** The two states a database is in by its host's doing alone: any other is a verb's. */
export const itsOwnStates = ["running", "suspended"] as const;
type OwnState = (typeof itsOwnStates)[number];

/** One suspension or wake, whichever number it has. */
export type MoveByHost = Pick<Transition, "database" | "to" | "at">;

/** Whether its host may move a database by itself. */
export function mayMove({ state, suspendAfterSeconds }: DatabaseRow): boolean {
  return state === "suspended" || (state === "running" && suspendAfterSeconds > 0);
}

/**
 * Brings rows, by the databases' names, to where changes lead, with an event for each. Only what
 * changes a row's state is told: the wake that a start or a stop brought is that verb's.
 */
export function applyTransitions(
  context: Context,
  rows: ReadonlyMap<string, DatabaseRow>,
  changes: readonly MoveByHost[],
): Statement[] {
  const states = new Map<string, OwnState>();
  const events = changes.flatMap(({ database: name, to, at }) => {
    const row = rows.get(name);
    const state = to === "suspended" ? "suspended" : "running";
    if (row === undefined || !isItsOwn(row.state)) return [];
    if ((states.get(row.id) ?? row.state) === state) return [];
    states.set(row.id, state);
    return [tell(context, row, state, new Date(at))];
  });
  const statements = itsOwnStates.flatMap((state) => {
    const ids = [...states].filter(([, it]) => it === state).map(([id]) => id);
    return moveAll(context, ids, state);
  });
  return [...events, ...statements];
}

function tell(context: Context, row: DatabaseRow, state: OwnState, occurredAt: Date): Statement {
  return state === "suspended"
    ? recordEvent(context, "database.paused", row, { occurredAt, data: { reason: "idle" } })
    : recordEvent(context, "database.resumed", row, { occurredAt, data: { reason: "client" } });
}

function moveAll(context: Context, ids: readonly string[], state: OwnState): Statement[] {
  const statements: Statement[] = [];
  for (let at = 0; at < ids.length; at += valuesMax) {
    const some = ids.slice(at, at + valuesMax);
    statements.push(
      context.db
        .update(database)
        .set({ state, updatedAt: context.now() })
        .where(and(inArray(database.id, some), inArray(database.state, [...itsOwnStates]))),
    );
  }
  return statements;
}

function isItsOwn(state: string): state is OwnState {
  return itsOwnStates.some((each) => each === state);
}
