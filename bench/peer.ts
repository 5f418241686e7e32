// The command-line peer: createdb with a role of its own, then psql -c 'select 1', run directly on
// the socket of a shared cluster with its own client programs.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Installation } from "./installation.ts";
import type { SharedCluster } from "./shared-cluster.ts";

const run = promisify(execFile);

/** Runs one of Postgres' client programs without a sandbox around it, which would slow it down. */
async function client(
  { binaries, superuser }: SharedCluster,
  program: string,
  args: readonly string[],
  environment: Record<string, string> = {},
): Promise<string> {
  const { command, prefix } = commandOf({ binaries }, program);
  const { host, user, password } = superuser;
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
export async function createByHand(shared: SharedCluster, name: string): Promise<void> {
  const create = `create role ${name} login password '${name}'`;
  await client(shared, "psql", ["-qXc", create]);
  await client(shared, "createdb", ["--owner", name, name]);
  const login = { PGUSER: name, PGPASSWORD: name, PGDATABASE: name };
  await client(shared, "psql", ["-qXAtc", "select 1"], login);
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
