// Archives of pg_dump's custom format, made and read with the programs beside Postgres.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { platformRole } from "../../host/instance/fleet.ts";
import { call } from "./client.ts";
import { superuserOf } from "./operator.ts";
import type { RunningSystem } from "./system.ts";

/** Bytes that can be sent. */
export type Archive = Uint8Array<ArrayBuffer>;

/** A shell script that runs one of Postgres' own clients, of the version of the server. */
export function clientScript(system: RunningSystem, program: string): string {
  const psql = readFileSync(join(system.home, "bin/psql"), "utf8");
  return psql.replace(/psql('?) "\$@"/, `${program}$1 "$@"`);
}

/** Runs a program of the psql this machine has, in a directory it sees; what it wrote. */
function run(
  system: RunningSystem,
  [program, ...args]: readonly [string, ...string[]],
  cwd: string,
  variables: Readonly<Record<string, string>> = {},
): Buffer {
  const script = clientScript(system, program);
  const env = { ...process.env, ...variables };
  const options = { cwd, env, maxBuffer: 1024 ** 3 };
  const made = spawnSync("/bin/sh", ["-c", script, "sh", ...args], options);
  if (made.status !== 0) throw new Error(`${program}: ${made.stderr}`);
  return made.stdout;
}

/** What pg_restore says is in an archive. */
export function contentsOf(system: RunningSystem, archive: Archive): string {
  const directory = mkdtempSync(join(system.home, "archive-"));
  writeFileSync(join(directory, "archive.dump"), archive);
  try {
    return run(system, ["pg_restore", "-l", "archive.dump"], directory).toString();
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** An archive of a database in an instance, as its superuser makes it. */
export function dumpedElsewhere(
  system: RunningSystem,
  instance: string,
  database: string,
): Archive {
  const { socket, password } = superuserOf(system, instance);
  const args = ["-Fc", "-h", socket, "-U", platformRole, "-d", database] as const;
  return new Uint8Array(run(system, ["pg_dump", ...args], socket, { PGPASSWORD: password }));
}

/** Sends an archive to be a database's content. */
export async function sendArchive(system: RunningSystem, databaseId: string, archive: Archive) {
  const { api_url, api_key } = system.dev();
  const response = await fetch(`${api_url}/databases/${databaseId}/imports`, {
    method: "POST",
    headers: { authorization: `Bearer ${api_key}`, "content-type": "application/octet-stream" },
    body: archive,
  });
  return { status: response.status, body: JSON.parse(await response.text()) };
}

/** Asks until a restore or a backup is over; what it is then. */
export async function ended(system: RunningSystem, path: string) {
  for (;;) {
    const { body, text } = await call(system, "GET", path);
    if (body.data === undefined) throw new Error(`GET ${path}: ${text}`);
    if (["succeeded", "failed"].includes(body.data.state)) return body.data;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
