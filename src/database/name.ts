import { type IdSource, opaqueName } from "../core/id.ts";

const opaqueLength = 20;

/** Names of a new database and of its login: random, and no other's on any host. */
export function newDatabaseNames(source: IdSource) {
  return {
    databaseName: `proj_${opaqueName(source, opaqueLength)}`,
    loginRole: newLoginName(source),
  };
}

/** Name of a new login. */
export function newLoginName(source: IdSource): string {
  return `usr_${opaqueName(source, opaqueLength)}`;
}
