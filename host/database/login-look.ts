// A tenant that changes its own password in Postgres locks itself out of the poolers' way to it:
// they know the password it was given, and pass on what clients say. Passwords are changed by a
// rotation; what was changed otherwise is put right soon after it was written.
import { log, messageOf } from "../log.ts";
import type { DatabaseMeans } from "./means.ts";
import { type RoleRow, rolesSql } from "./role.ts";
import { settle, withSessions } from "./settle.ts";

/** Makes a look at the logins of a database that wrote; one that does not run is not looked at. */
export function createLoginLook(means: DatabaseMeans): (database: string) => Promise<void> {
  const { files, keeper, lane } = means;

  /** True when each login has the password it was given. */
  async function isAsGiven(database: string, name: string): Promise<boolean> {
    const rows = await withSessions(means, name, ({ postgres }) =>
      postgres.query<RoleRow>(rolesSql(database)),
    );
    const known = new Map(rows.map((row) => [row.name, row]));
    return files.databases.get(database).spec.logins.every(({ name: login, verifier }) => {
      const role = known.get(login);
      return role?.can_login === true && role.verifier === verifier;
    });
  }

  async function look(database: string): Promise<void> {
    if (!files.databases.has(database)) return;
    if (files.databases.get(database).stage !== undefined) return;
    const state = keeper.find(database);
    if (state?.server === undefined) return;
    if (await isAsGiven(database, state.record.name)) return;
    await settle(means, database);
    log("warn", `A login of ${database} had another password than it was given, and has it again.`);
  }

  return (database) =>
    lane(database, () => look(database)).catch((error) => {
      log("error", `The logins of ${database} are not looked at: ${messageOf(error)}`);
    });
}
