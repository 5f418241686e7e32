// Makes the logins of an instance what they are to be, whatever they were: before a rotation, or in
// the middle of one, as recovered instances and copies have them, or as a tenant left them that
// changed its own password. It is said who is to log in, never what to change.
import { randomBytes } from "node:crypto";
import type { Login } from "../../src/contract/spec.ts";
import { log, messageOf } from "../base/log.ts";
import type { Session } from "../base/session.ts";
import { holdWrites, releaseWrites } from "./full.ts";
import { literal, loginSql, quoted, type RoleRow, rolesIn, rolesSql, settingsSql } from "./role.ts";

/** The host program's sessions in a running instance: in `postgres`, and in its database. */
export interface InstanceSessions {
  readonly postgres: Session;
  readonly inside: Session;
}

/** Who is to log in to a database, and what they may do there. */
export interface Access {
  readonly logins: readonly Login[];
  /** Whether they read and delete only. */
  readonly isFull: boolean;
}

/** Who there is. */
async function readRoles({ postgres }: InstanceSessions, database: string) {
  return rolesIn(await postgres.query<RoleRow>(rolesSql(database)));
}

/** True when a database is full, and its logins read and delete only. */
export async function isHeld(sessions: InstanceSessions, database: string): Promise<boolean> {
  return !(await readRoles(sessions, database)).owner.can_login;
}

/**
 * Makes the logins of a running instance those that are wanted; a change of the first renames the
 * role that owns what is there. May be called again and again, and says nothing that is so already.
 * @returns logins that are none any more: their sessions are to be ended, and they to be removed
 */
export async function settleLogins(
  sessions: InstanceSessions,
  database: string,
  { logins, isFull }: Access,
): Promise<readonly string[]> {
  const before = await readRoles(sessions, database);
  if (isFull) await holdWrites(sessions, database, before);
  else if (before.reader !== undefined || !before.owner.can_login) {
    await releaseWrites(sessions, before);
  }
  const { owner, reader, standIns } = await readRoles(sessions, database);
  const spare = `miosa_spare_${randomBytes(8).toString("hex")}`;
  const { statements, gone } = loginSql({ actor: reader ?? owner, standIns }, { logins, spare });
  const [first, ...others] = logins.map(({ name }) => name);
  const settings = settingsSql(first ?? "", others, [`role=${first}`]);
  // All of it or nothing: who logs in meanwhile is somebody.
  await sessions.postgres.query([...statements, ...settings].join(";\n") || "select");
  return gone;
}

/** Removes logins that are none any more; what they made is the owner's. */
export async function removeLogins(
  sessions: InstanceSessions,
  database: string,
  names: readonly string[],
): Promise<void> {
  if (names.length === 0) return;
  const { owner } = await readRoles(sessions, database);
  for (const name of names) {
    try {
      await removeLogin(sessions, name, owner.name);
    } catch (error) {
      // It cannot log in; the next time its logins are settled this is tried again.
      log("warn", `A former login of ${database} is not removed: ${messageOf(error)}`);
    }
  }
}

async function removeLogin({ postgres, inside }: InstanceSessions, name: string, owner: string) {
  await postgres.query(`
    select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = ${literal(name)}`);
  const role = quoted(name);
  await inside.query(`reassign owned by ${role} to ${quoted(owner)}; drop owned by ${role}`);
  await postgres.query(`drop role ${role}`);
}
