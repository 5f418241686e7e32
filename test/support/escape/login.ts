import type { ClientConfig } from "pg";
import { aimed, type Target } from "./attack.ts";

/** A login that must not be let in, and what it is turned away with. */
export interface LoginAttack {
  readonly what: string;
  /** PgBouncer has one SQLSTATE for all it refuses, hence the words. */
  readonly code: "08P01";
  readonly words: RegExp;
  /** What differs from my own login; braces name what differs from run to run. */
  readonly login: ClientConfig;
}

const byPooler = (what: string, words: RegExp, login: ClientConfig): LoginAttack => ({
  what,
  code: "08P01",
  words,
  login,
});

const reserved = ["postgres", "template0", "template1", "miosa_template", "pgb_auth", "pgbouncer"];
const platform = ["miosa", "miosa_dump", "pgbouncer", "postgres"];
// Each would be a way to be somebody else, or elsewhere, before the first statement.
const options = [
  "-c role=miosa",
  "-c session_authorization=miosa",
  "-c session_replication_role=replica",
  "-c temp_file_limit=-1",
];
// PgBouncer knows some of them and does not let a client set them.
const notTaken = /unsupported startup|invalid server parameter/;
const theirs = { user: "{theirLogin}", database: "{theirDatabase}" };

/** Logins through a pooler, with my password unless they say another. */
export const loginAttacks: readonly LoginAttack[] = [
  ...reserved.map((database) => byPooler(`into ${database}`, /rejected|not allowed/, { database })),
  ...platform.map((user) => byPooler(`as ${user}`, /rejected|no such user/, { user })),
  ...options.map((text) => byPooler(`with ${text}`, notTaken, { options: text })),
  byPooler("as another tenant", /rejected/, { user: theirs.user }),
  byPooler("as another tenant in its database", /authentication failed/, theirs),
  byPooler("with another password", /authentication failed/, { password: "mine" }),
  byPooler("with a name that ends a string", /rejected/, { user: "x' or true --" }),
  byPooler("into another tenant's database", /rejected/, { database: "{theirDatabase}" }),
  byPooler("into a name that adds to its line", /rejected/, { database: "x host=/tmp port=1" }),
];

/** The login with its names put in. */
export function aimedLogin(login: ClientConfig, target: Target): ClientConfig {
  const texts = Object.entries(login).map(([name, text]) => [name, aimed(String(text), target)]);
  return Object.fromEntries(texts);
}
