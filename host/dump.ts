// One database from a scratch cluster into one of the live cluster, as the tenant's own roles on
// both sides: what a tenant put into a function or a constraint runs with the tenant's rights.
import { appendFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { runProgram } from "./binary.ts";
import { layout, postgresPort } from "./config.ts";
import { type Scratch, scratchPort, scratchSession } from "./scratch.ts";

const jobs = "2";

/** Who a database belongs to, as its scratch cluster has it. */
export interface ScratchTenant {
  readonly database: string;
  readonly login: string;
}

/** Where to load: a login whose sessions act as the owner of what is loaded. */
export interface LoadTarget {
  readonly database: string;
  readonly user: string;
  readonly password: string;
}

// The owner may connect; any of its logins acts as it.
const tenant = (oid: number) => `
  select datname as database, login.rolname as login
  from pg_database
    cross join lateral aclexplode(datacl) as acl
    join pg_auth_members on roleid = acl.grantee
    join pg_roles as login on login.oid = pg_auth_members.member
  where pg_database.oid = ${oid} and privilege_type = 'CONNECT' and rolcanlogin
  order by login.oid desc limit 1`;

/**
 * Finds the database by its oid and lets its own login in, to it alone.
 * @throws Error when the database was not there at the target.
 */
export async function admitTenant(scratch: Scratch, oid: number): Promise<ScratchTenant> {
  const session = scratchSession(scratch, "postgres");
  try {
    const [found] = await session.query<Record<keyof ScratchTenant, string>>(tenant(oid));
    if (found === undefined) throw new Error("The database did not exist at the target.");
    appendFileSync(scratch.files.hba, `local ${found.database} ${found.login} trust\n`);
    await session.query("select pg_reload_conf()");
    return { database: found.database, login: found.login };
  } finally {
    await session.close();
  }
}

function dumpDirectory({ files }: Scratch): string {
  return join(files.directory, "dump");
}

/** Writes the database to files in the scratch directory. */
export async function dump(scratch: Scratch, { database, login }: ScratchTenant): Promise<void> {
  const directory = dumpDirectory(scratch);
  rmSync(directory, { recursive: true, force: true });
  const from = ["-h", scratch.files.directory, "-p", String(scratchPort), "-U", login];
  const how = ["-Fd", "-j", jobs, "-Z0", "-f", directory, "--no-sync"];
  await runProgram(scratch.config, "pg_dump", [...from, ...how, "-d", database], {
    reach: scratch.reach,
  });
}

// Rights name roles of the database that was dumped; here they are those of the one it becomes.
const roleName = /\b(own|usr|ro)_[a-z2-7]{20}\b/g;

/** Loads those files, then the rights among them, and gathers statistics. */
export async function load(scratch: Scratch, target: LoadTarget): Promise<void> {
  const { config } = scratch;
  const directory = dumpDirectory(scratch);
  const { run } = layout(config.directory);
  const to = ["-h", run, "-p", String(postgresPort), "-U", target.user, "-d", target.database];
  const how = ["-j", jobs, "--exit-on-error", "--no-owner", "--no-privileges", directory];
  await runProgram(config, "pg_restore", [...to, ...how], {
    secrets: { PGPASSWORD: target.password },
  });
  const rights = await rightsIn(scratch, directory);
  const { user, password, database } = target;
  const client = new Client({ host: run, port: postgresPort, user, password, database });
  await client.connect();
  try {
    const { rows } = await client.query<{ owner: string }>("select current_user as owner");
    await client.query(rights.replaceAll(roleName, rows[0]?.owner ?? user));
    await client.query("analyze");
  } finally {
    await client.end();
  }
}

async function rightsIn({ config, files }: Scratch, directory: string): Promise<string> {
  const contents = await runProgram(config, "pg_restore", ["-l", directory]);
  const entries = contents.split("\n").filter((line) => /^\d+; \d+ \d+ (DEFAULT )?ACL /.test(line));
  if (entries.length === 0) return "";
  const list = join(files.directory, "rights");
  writeFileSync(list, `${entries.join("\n")}\n`, { mode: 0o600 });
  const text = await runProgram(config, "pg_restore", ["-L", list, "-f", "-", directory]);
  // Settings of the session pg_dump wrote for psql; the backslash commands are not SQL.
  return text.replaceAll(/^\\.*$/gm, "");
}
