/** States of a database; `deleted` ones answer 404. */
export const databaseStates = ["provisioning", "running", "deleting", "failed", "deleted"] as const;

/** One state of a database. */
export type DatabaseState = (typeof databaseStates)[number];
