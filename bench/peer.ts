// The command-line peer: createdb with a role of its own, then psql -c 'select 1', run directly on
// the cluster's socket with the cluster's own client programs.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Installation } from "./installation.ts";

const run = promisify(execFile);

/** Runs one of Postgres' client programs without a sandbox around it, which would slow it down. */
async function client(
  installation: Installation,
  program: string,
  args: readonly string[],
  environment: Record<string, string> = {},
): Promise<string> {
  const { command, prefix } = commandOf(installation, program);
  const { host, user, password } = installation.superuser;
  const { stdout } = await run(command, [...prefix, ...args], {
    env: {
      PGHOST: host,
      PGUSER: user,
      PGPASSWORD: password,
      PGDATABASE: "postgres",
      ...environment,
    },
  });
  return stdout;
}

/** One database the way an operator makes one: role, database, first row. */
export async function createByHand(installation: Installation, name: string): Promise<void> {
  const create = `create role ${name} login password '${name}'`;
  await client(installation, "psql", ["-qXc", create]);
  await client(installation, "createdb", ["--owner", name, name]);
  const login = { PGUSER: name, PGPASSWORD: name, PGDATABASE: name };
  await client(installation, "psql", ["-qXAtc", "select 1"], login);
}

/** In a root file system the programs run with its own loader and libraries. */
export function commandOf({ binaries }: Pick<Installation, "binaries">, program: string) {
  const isPooler = program === "pgbouncer";
  if (binaries.kind === "native") {
    const command = isPooler ? binaries.pgbouncer : join(binaries.postgres, program);
    return { command, prefix: [] };
  }
  const inside = (path: string) => join(binaries.path, path);
  return {
    command: inside("usr/lib64/ld-linux-x86-64.so.2"),
    prefix: [
      "--library-path",
      inside("usr/lib/x86_64-linux-gnu"),
      inside(isPooler ? "usr/sbin/pgbouncer" : `usr/lib/postgresql/17/bin/${program}`),
    ],
  };
}
