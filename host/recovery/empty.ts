import type { Fleet } from "../instance/fleet.ts";
import type { InstancePlace } from "../instance/place.ts";
import { platformSession } from "../instance/session.ts";

const ownerSql = (database: string) => `
  select quote_ident(rolname) as quoted, rolname as name
  from pg_roles join pg_database on datdba = pg_roles.oid where datname = '${database}'`;

interface Owner extends Record<string, unknown> {
  readonly quoted: string;
  readonly name: string;
}

/**
 * Makes the database of a recovered instance anew, as a new one is: empty, of the same owner. Other
 * roles of the cluster stay. @returns its owner
 */
export async function emptyDatabase(
  fleet: Fleet,
  place: InstancePlace,
  database: string,
): Promise<string> {
  const session = platformSession(fleet, place, database);
  const own = platformSession(fleet, place, database, database);
  try {
    const [owner] = await session.query<Owner>(ownerSql(database));
    if (owner === undefined) throw new Error(`The instance has no database ${database}.`);
    await session.query(`drop database ${database} with (force)`);
    await session.query(`create database ${database} owner ${owner.quoted}`);
    await session.query(`revoke all on database ${database} from public`);
    await own.query("create extension if not exists pg_stat_statements schema public");
    return owner.name;
  } finally {
    await Promise.all([session.close(), own.close()]);
  }
}
