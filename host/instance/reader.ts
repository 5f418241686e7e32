// Roles of the platform that are no superuser. In a tenant's database the host program works as one
// of them: what it reads there may run what the tenant has put there.
import { createHmac } from "node:crypto";
import type { Session } from "../base/session.ts";
import type { Fleet } from "./fleet.ts";
import { verifierOf } from "./verifier.ts";

/** Reads everything, and does nothing else. */
export const readerRole = "miosa_reader";

/** Holds tables still for a moment: only who may maintain a table may lock it. */
export const holderRole = "miosa_holder";

/** Both, which are in the template: no tenant makes one of the name and has it for its own. */
const readerRoles = [readerRole, holderRole] as const;
type ReaderRole = (typeof readerRoles)[number];

/** Makes them in the template, where its database has this name; they have no password yet. */
export function makeReaders(database: string): readonly string[] {
  const all = readerRoles.join(", ");
  return [
    `create role ${readerRole} login bypassrls`,
    `create role ${holderRole} login`,
    // A tenant that has taken all connections of its own keeps neither out.
    `grant pg_read_all_data, pg_use_reserved_connections to ${all}`,
    `grant pg_maintain to ${holderRole}`,
    `grant connect on database ${database} to ${all}`,
  ];
}

/** The password of one where a database is. */
export function readerPassword(
  { secret }: Pick<Fleet, "secret">,
  role: ReaderRole,
  database: string,
): string {
  return createHmac("sha256", secret).update(`${role} ${database}`).digest("base64url");
}

/** Gives both the passwords they have where a database is, as statements. */
export async function givePasswords(fleet: Pick<Fleet, "secret">, database: string) {
  const statements = readerRoles.map(async (role) => {
    const verifier = await verifierOf(readerPassword(fleet, role, database));
    return `alter role ${role} password '${verifier}'`;
  });
  return (await Promise.all(statements)).join("; ");
}

interface Shut extends Record<string, unknown> {
  readonly is_shut: boolean;
}

/** Lets them into a database whose owner has shut them out. `session` is the platform's. */
export async function admitReaders(session: Session, database: string): Promise<void> {
  const [found] = await session.query<Shut>(`
    select bool_or(not has_database_privilege(rolname, '${database}', 'connect')) as is_shut
    from pg_roles where rolname in (${readerRoles.map((role) => `'${role}'`).join(", ")})`);
  if (found?.is_shut !== true) return;
  await session.query(`grant connect on database ${database} to ${readerRoles.join(", ")}`);
}
