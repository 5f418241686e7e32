import { type IdSource, opaqueName } from "../core/id.ts";

const opaqueLength = 20;

/** Names of a new database and its roles in Postgres: random, as every tenant can list them. */
export function newDatabaseNames(source: IdSource) {
  const suffix = opaqueName(source, opaqueLength);
  return {
    databaseName: `proj_${suffix}`,
    ownerRole: `own_${suffix}`,
    loginRole: newLoginName(source),
  };
}

/** Name of a new login role. */
export function newLoginName(source: IdSource): string {
  return `usr_${opaqueName(source, opaqueLength)}`;
}
