// One database from a scratch cluster into one of the live cluster, as the tenant's own roles on
// both sides: what a tenant put into a function or a constraint runs with the tenant's rights.
import { appendFileSync, createWriteStream, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { Client } from "pg";
import { runProgram } from "./binary.ts";
import type { Bytes } from "./cipher-stream.ts";
import { layout, postgresPort } from "./config.ts";
import { whileRoom } from "./dump-store.ts";
import { readIfExists } from "./file.ts";
import { type Scratch, scratchPort, scratchSession } from "./scratch.ts";

const jobs = "2";
// Each job sorts in memory what it indexes, alone: the other job is the second core's work. Nothing
// of it counts before the commit that puts it in its place, which makes all WAL before it safe.
const loadOptions =
  "-c maintenance_work_mem=96MB -c max_parallel_maintenance_workers=0 -c synchronous_commit=off";

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
    const rule = `local ${found.database} ${found.login} trust\n`;
    if (readIfExists(scratch.files.hba)?.endsWith(rule) !== true) {
      appendFileSync(scratch.files.hba, rule);
      await session.query("select pg_reload_conf()");
    }
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

/** Puts an archive in the place of those files: pg_restore reads either. */
export async function unpack(scratch: Scratch, content: Bytes): Promise<void> {
  const file = createWriteStream(dumpDirectory(scratch), { mode: 0o600 });
  await pipeline(whileRoom(scratch.files.directory, content), file);
}

// Rights name roles of the database that was dumped; here they are those of the one it becomes.
const roleName = /\b(own|usr|ro)_[a-z2-7]{20}\b/g;
// No such role, or none one may become: an archive from elsewhere names its own.
const unknownRole = new Set(["42704", "22023", "42501"]);

/**
 * Loads those files, then the rights among them, and gathers statistics. `rights` of `any` roles
 * are those of an archive; what they give to roles there are none of here is left out.
 */
export async function load(
  scratch: Scratch,
  target: LoadTarget,
  rights: "own" | "any",
): Promise<void> {
  const { config, files } = scratch;
  const directory = dumpDirectory(scratch);
  const { run } = layout(config.directory);
  const to = ["-h", run, "-p", String(postgresPort), "-U", target.user, "-d", target.database];
  const how = ["-j", jobs, "--exit-on-error", "--no-owner", "--no-privileges", "--verbose"];
  await runProgram(config, "pg_restore", [...to, ...how, directory], {
    secrets: { PGPASSWORD: target.password, PGOPTIONS: loadOptions },
    // An archive may be anybody's: what reads it sees nothing but it and the socket.
    reach: { writable: files.directory, readable: [run] },
  });
  const statements = await rightsIn(scratch, directory);
  const { user, password, database } = target;
  const client = new Client({ host: run, port: postgresPort, user, password, database });
  await client.connect();
  try {
    const { rows } = await client.query<{ owner: string }>("select current_user as owner");
    const text = statements.replaceAll(roleName, rows[0]?.owner ?? user);
    if (rights === "own") await client.query(text);
    else await giveRights(client, text);
    await client.query("analyze");
  } finally {
    await client.end();
  }
}

async function giveRights(client: Client, text: string): Promise<void> {
  for (const statement of text.split(/;\n/)) {
    await client.query(statement).catch((error: { readonly code?: string }) => {
      if (!unknownRole.has(error.code ?? "")) throw error;
    });
  }
}

async function rightsIn({ config, files }: Scratch, directory: string): Promise<string> {
  const reach = { writable: files.directory, readable: [layout(config.directory).run] };
  const contents = await runProgram(config, "pg_restore", ["-l", directory], { reach });
  const entries = contents.split("\n").filter((line) => /^\d+; \d+ \d+ (DEFAULT )?ACL /.test(line));
  if (entries.length === 0) return "";
  const list = join(files.directory, "rights");
  writeFileSync(list, `${entries.join("\n")}\n`, { mode: 0o600 });
  const read = ["-L", list, "-f", "-", directory];
  const text = await runProgram(config, "pg_restore", read, { reach });
  // Settings of the session pg_dump wrote for psql; the backslash commands are not SQL.
  return text.replaceAll(/^\\.*$/gm, "");
}
