// What may be done to a database in which state: the one table, complete by its type.

/** States of a database that are answered; in `-ing` ones an operation is under way. */
export const databaseStates = [
  "provisioning",
  "running",
  "stopping",
  "stopped",
  "starting",
  "restarting",
  "suspended",
  "deleting",
  "deleted",
  "failed",
] as const;

/** One state a database is answered in. */
export type DatabaseState = (typeof databaseStates)[number];

/** States of a row: one that is purged answers 404. */
export const storedStates = [...databaseStates, "purged"] as const;

/** One state of a row. */
export type StoredState = (typeof storedStates)[number];

/** What a caller may do to a database. */
export type DatabaseVerb =
  | "resize"
  | "configure"
  | "stop"
  | "start"
  | "restart"
  | "rotate"
  | "observe"
  | "restore"
  | "branch"
  | "backup"
  | "promote"
  | "delete"
  | "undelete";

/** `begin` it; it is `done` already, with nothing to begin; or `refuse` it with 409. */
type Answer = "begin" | "done" | "refuse";

const refuseAll = {
  provisioning: "refuse",
  running: "refuse",
  stopping: "refuse",
  stopped: "refuse",
  starting: "refuse",
  restarting: "refuse",
  suspended: "refuse",
  deleting: "refuse",
  deleted: "refuse",
  failed: "refuse",
  purged: "refuse",
} as const satisfies Record<StoredState, Answer>;

const whileItLives = {
  ...refuseAll,
  running: "begin",
  stopped: "begin",
  suspended: "begin",
} as const;

/** The table: each verb in each state. */
export const verbTable: Record<DatabaseVerb, Record<StoredState, Answer>> = {
  resize: whileItLives,
  configure: whileItLives,
  rotate: whileItLives,
  stop: { ...refuseAll, running: "begin", suspended: "begin", stopped: "done" },
  start: { ...refuseAll, stopped: "begin", suspended: "begin", running: "done" },
  restart: { ...refuseAll, running: "begin", suspended: "begin" },
  observe: { ...whileItLives, stopping: "begin", starting: "begin", restarting: "begin" },
  restore: whileItLives,
  branch: whileItLives,
  backup: { ...refuseAll, running: "begin", suspended: "begin" },
  promote: whileItLives,
  delete: { ...whileItLives, failed: "begin", deleted: "begin" },
  undelete: { ...refuseAll, deleted: "begin", running: "done", stopped: "done", suspended: "done" },
};
