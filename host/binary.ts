// From (binaries, program, arguments) to the command that runs it: as it is, or in a root file
// system laid out by bubblewrap, where only the cluster's directory can be written.
import { execFile, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import type { HostConfig } from "./config.ts";
import { layout } from "./config.ts";
import { writeIfChanged } from "./file.ts";

/** A command line: its first word is the program. */
type CommandLine = readonly [string, ...string[]];

export type ProgramName = "postgres" | "initdb" | "pgbouncer" | "pgbackrest" | "openssl";

const debianPostgres = "/usr/lib/postgresql/17/bin";

// A fixed environment: what the operator's shell exports must not steer the servers.
const environment = { PATH: "/usr/bin:/bin:/usr/sbin:/sbin", LC_ALL: "C.UTF-8", TZ: "UTC" };

function programPath({ binaries }: HostConfig, name: ProgramName): string {
  if (name === "openssl") return "/usr/bin/openssl";
  if (binaries.kind === "native") {
    if (name === "pgbouncer" || name === "pgbackrest") return binaries[name];
    return join(binaries.postgres, name);
  }
  if (name === "pgbouncer") return "/usr/sbin/pgbouncer";
  return name === "pgbackrest" ? "/usr/bin/pgbackrest" : join(debianPostgres, name);
}

/** What a program does when this one ends: a server lives on. */
type Attachment = "outlives" | "dies-with-host";

// Process ids and the network stay shared, so that pid files hold real pids and ports are real.
function sandbox(
  config: HostConfig,
  root: string,
  bwrap: string,
  attachment: Attachment,
): CommandLine {
  const at = (path: string) => ["--ro-bind", join(root, path), path];
  const links = ["bin", "sbin", "lib", "lib64"].flatMap((name) => [
    "--symlink",
    `usr/${name}`,
    `/${name}`,
  ]);
  return [
    bwrap,
    ...(attachment === "outlives" ? [] : ["--die-with-parent"]),
    ...at("/usr"),
    ...at("/etc"),
    ...links,
    ...["--ro-bind", layout(config.directory).passwd, "/etc/passwd"],
    ...["--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"],
    ...["--bind", config.directory, config.directory],
    ...["--chdir", config.directory, "--"],
  ];
}

/** The command line that runs a program with its arguments. */
function commandLine(
  config: HostConfig,
  name: ProgramName,
  args: readonly string[],
  attachment: Attachment,
): CommandLine {
  const path = programPath(config, name);
  if (config.binaries.kind === "native") return [path, ...args];
  const { path: root, bwrap } = config.binaries;
  return [...sandbox(config, root, bwrap, attachment), path, ...args];
}

/** initdb wants its user to have a name, which the root file system may not know. */
export function writePasswd(config: HostConfig): void {
  const ids = `${process.getuid?.()}:${process.getgid?.()}`;
  writeIfChanged(layout(config.directory).passwd, `miosa:x:${ids}::/:/usr/sbin/nologin\n`);
}

/** Runs a program to its end, at most to this one's: its output, or rejects with its stderr. */
export function runProgram(
  config: HostConfig,
  name: ProgramName,
  args: readonly string[],
): Promise<string> {
  const [file, ...rest] = commandLine(config, name, args, "dies-with-host");
  const options = { env: environment, cwd: "/", maxBuffer: 1024 * 1024 };
  return new Promise((resolve, reject) => {
    const child = execFile(file, rest, options, (error, stdout, stderr) => {
      process.off("exit", kill);
      if (error === null) return resolve(stdout);
      const said = stderr.trim().split("\n").slice(-5).join(" ");
      reject(new Error(`${name} failed: ${said || error.message}`));
    });
    const kill = () => child.kill("SIGKILL");
    process.on("exit", kill);
  });
}

/** A server just started. `exited` resolves when it, or the sandbox around it, is gone. */
export interface Started {
  readonly exited: Promise<void>;
}

/**
 * Starts a server that outlives this program; what it says before it has a log is in `output`.
 * `limits` are commands of the shell that becomes the server.
 */
export function startServer(
  config: HostConfig,
  name: ProgramName,
  args: readonly string[],
  output: string,
  limits = "true",
): Started {
  const line = commandLine(config, name, args, "outlives");
  const limit = `ulimit -n "$(ulimit -Hn)" && ${limits} && exec "$@"`;
  const file = openSync(output, "w", 0o600);
  const child = spawn("/bin/sh", ["-c", limit, "sh", ...line], {
    env: environment,
    cwd: "/",
    detached: true,
    stdio: ["ignore", file, file],
  });
  closeSync(file);
  child.unref();
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  return { exited };
}
