import type { Context } from "../core/context.ts";
import { conflict } from "../core/error.ts";
import { activeOperations, refuseBusy } from "../operation/find.ts";
import { type DatabaseVerb, type StoredState, storedStates, verbTable } from "./status.ts";
import type { DatabaseRow } from "./table.ts";

/**
 * Whether a verb has something to begin in a database's state, or finds it done already.
 * @throws ApiError 409 OPERATION_IN_PROGRESS, naming the operation that is under way, or
 *   INVALID_STATE with the state it is in and those the verb is for.
 */
export async function permit(
  context: Context,
  row: DatabaseRow,
  verb: DatabaseVerb,
): Promise<"begin" | "done"> {
  const answer = verbTable[verb][row.state];
  if (answer !== "refuse") return answer;
  const [other] = (await activeOperations(context, [row.id])).values();
  if (other !== undefined) throw refuseBusy(other);
  const { id, state, errorMessage } = row;
  const allowed = statesFor(verb);
  const why = errorMessage === null ? "" : `: ${errorMessage}`;
  throw conflict(
    "INVALID_STATE",
    `The database is ${state}${why}. It can be ${participles[verb]} while it is ` +
      `${allowed.join(" or ")}.${remedies[verb]?.[state] ?? ""}`,
    { state, allowed_states: allowed, resource_id: id },
  );
}

function statesFor(verb: DatabaseVerb): StoredState[] {
  return storedStates.filter((state) => verbTable[verb][state] === "begin");
}

// What to do instead, where one call does it.
const remedies: Partial<Record<DatabaseVerb, Partial<Record<StoredState, string>>>> = {
  restart: { stopped: " Start it instead." },
  backup: { stopped: " Start it first." },
  branch: {
    deleted: " Undelete it first, or name a moment with `at`.",
    purged: " Name a moment with `at`.",
    failed: " Name a moment with `at`.",
  },
  restore: {
    deleted: " Undelete it first, or restore it with mode new.",
    purged: " Restore it with mode new.",
    failed: " Restore it with mode new.",
  },
};

const participles: Record<DatabaseVerb, string> = {
  resize: "resized",
  configure: "changed",
  stop: "stopped",
  start: "started",
  restart: "restarted",
  rotate: "given new credentials",
  observe: "looked into",
  restore: "restored in place",
  branch: "branched",
  backup: "backed up",
  promote: "made primary",
  delete: "deleted",
  undelete: "undeleted",
};
