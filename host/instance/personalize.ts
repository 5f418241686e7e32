// Gives a copy names and passwords of its own: its database, the role that owns it, and the
// platform's roles.
import { type Fleet, platformPassword, platformRole } from "./fleet.ts";
import type { InstancePlace } from "./place.ts";
import { givePasswords } from "./reader.ts";
import { makeWalSlot, platformSession } from "./session.ts";
import { verifierOf } from "./verifier.ts";

/** What a copy is to be called, and who gets in. */
export interface Names {
  readonly database: string;
  /** The role that owns the database, and the SCRAM verifier of its password. */
  readonly login: string;
  readonly verifier: string;
}

const nameForm = /^[a-z][a-z0-9_]{0,62}$/;
const verifierForm = /^SCRAM-SHA-256\$[A-Za-z0-9+/=:$]+$/;

function requireNames({ database, login, verifier }: Names): void {
  const areNames = [database, login].every((each) => nameForm.test(each));
  if (areNames && verifierForm.test(verifier)) return;
  throw new Error("A database's name, its login or its verifier is not as it has to be.");
}

// Whoever owns the database: its name may have changed since the copy's source was made.
const ownerOf = (database: string) => `(
  select rolname from pg_roles, pg_database
  where datname = '${database}' and datdba = pg_roles.oid)`;

/** Renames what a running copy of a database's instance has of its source. */
export async function personalize(
  fleet: Fleet,
  place: InstancePlace,
  from: string,
  to: Names,
): Promise<void> {
  requireNames(to);
  const platform = await verifierOf(platformPassword(fleet, to.database));
  const readers = await givePasswords(fleet, to.database);
  const session = platformSession(fleet, place, from);
  try {
    await session.query(`
      do $$ begin execute format('alter role %I rename to ${to.login}', ${ownerOf(from)}); end $$;
      alter database ${from} rename to ${to.database};
      alter role ${to.login} password '${to.verifier}';
      alter role ${platformRole} password '${platform}';
      ${readers};
      ${makeWalSlot}`);
  } finally {
    await session.close();
  }
}
