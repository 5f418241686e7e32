// From (binaries, program, arguments) to the command that runs it: as it is, or in a root file
// system laid out by bubblewrap, where only the cluster's directory can be written.
import { execFile, spawn } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { HostConfig } from "./config.ts";
import { layout } from "./config.ts";
import { writeIfChanged } from "./file.ts";

/** A command line: its first word is the program. */
type CommandLine = readonly [string, ...string[]];

export type ProgramName =
  | "postgres"
  | "initdb"
  | "pgbouncer"
  | "pgbackrest"
  | "openssl"
  | "pg_dump"
  | "pg_restore"
  | "pg_amcheck"
  | "pg_checksums";

// The list of a week's archived WAL is the longest text a program answers.
const outputBytesMax = 64 * 1024 * 1024;

const debianPostgres = "/usr/lib/postgresql/17/bin";

// A fixed environment: what the operator's shell exports must not steer the servers.
const environment = { PATH: "/usr/bin:/bin:/usr/sbin:/sbin", LC_ALL: "C.UTF-8", TZ: "UTC" };

/** Where a program is, seen from inside the root file system when there is one. */
export function programPath({ binaries }: HostConfig, name: ProgramName): string {
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

/**
 * What a program may touch. A recovery replays what every tenant ever did to paths: it sees no
 * file of the live cluster, writes in one directory, reads another, and has no network.
 */
export type Reach =
  | "cluster"
  | {
      readonly writable: string;
      readonly readable: readonly string[];
      /** For pgBackRest alone, which fetches from an object store. */
      readonly network?: true;
    };

function binds(config: HostConfig, reach: Reach): string[] {
  if (reach === "cluster") return ["--bind", config.directory, config.directory];
  // A repository may be lost: what does not need it goes on without.
  const readable = reach.readable.flatMap((path) => ["--ro-bind-try", path, path]);
  const network = reach.network === true ? [] : ["--unshare-net"];
  return [...readable, "--bind", reach.writable, reach.writable, ...network];
}

// Names are resolved as the machine does by now, not as when the root file system was made.
function resolver(root: string): string[] {
  return ["/etc/resolv.conf", "/etc/hosts"]
    .filter((file) => existsSync(file) && existsSync(join(root, file)))
    .flatMap((file) => ["--ro-bind", file, file]);
}

// Installed on the machine itself, programs see its whole file system, but for the cluster's.
function confine(config: HostConfig, attachment: Attachment, reach: Reach): CommandLine {
  return [
    "/usr/bin/bwrap",
    ...(attachment === "outlives" ? [] : ["--die-with-parent"]),
    ...["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"],
    ...["--tmpfs", config.directory],
    ...binds(config, reach),
    "--",
  ];
}

// Process ids and the network stay shared, so that pid files hold real pids and ports are real.
function sandbox(
  config: HostConfig,
  root: string,
  bwrap: string,
  attachment: Attachment,
  reach: Reach,
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
    ...resolver(root),
    ...links,
    ...["--ro-bind", layout(config.directory).passwd, "/etc/passwd"],
    ...["--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"],
    ...binds(config, reach),
    ...["--chdir", reach === "cluster" ? config.directory : reach.writable, "--"],
  ];
}

/** The command line that runs a program with its arguments. */
function commandLine(
  config: HostConfig,
  name: ProgramName,
  args: readonly string[],
  attachment: Attachment,
  reach: Reach = "cluster",
  before: readonly string[] = [],
): CommandLine {
  const path = programPath(config, name);
  if (config.binaries.kind === "native") {
    if (reach === "cluster") return [path, ...args];
    return [...confine(config, attachment, reach), ...before, path, ...args];
  }
  const { path: root, bwrap } = config.binaries;
  return [...sandbox(config, root, bwrap, attachment, reach), ...before, path, ...args];
}

/** initdb wants its user to have a name, which the root file system may not know. */
export function writePasswd(config: HostConfig): void {
  const ids = `${process.getuid?.()}:${process.getgid?.()}`;
  writeIfChanged(layout(config.directory).passwd, `miosa:x:${ids}::/:/usr/sbin/nologin\n`);
}

/** How a program is run beyond its arguments. */
export interface RunOptions {
  /** Variables it reads, since everybody sees arguments. */
  readonly secrets?: Readonly<Record<string, string>>;
  readonly reach?: Reach;
  /** What it reads from its standard input. */
  readonly input?: string;
  /** It takes what of the processors others leave. */
  readonly isPatient?: boolean;
  /** What it writes is of no use after a crash: where libeatmydata is, it waits for no disk. */
  readonly isDisposable?: boolean;
}

const libraries = ["x86_64", "aarch64"].map((machine) => {
  return `/usr/lib/${machine}-linux-gnu/libeatmydata.so.1`;
});

/** What makes a program not wait for disks, as the words before it; none without the library. */
export function withoutSync({ binaries }: Pick<HostConfig, "binaries">): string[] {
  const root = binaries.kind === "rootfs" ? binaries.path : "/";
  const found = libraries.find((file) => existsSync(join(root, file)));
  return found === undefined ? [] : ["/usr/bin/env", `LD_PRELOAD=${found}`];
}

/** Runs a program to its end, at most to this one's: its output, or rejects with its stderr. */
export function runProgram(
  config: HostConfig,
  name: ProgramName,
  args: readonly string[],
  {
    secrets = {},
    reach = "cluster",
    input,
    isPatient = false,
    isDisposable = false,
  }: RunOptions = {},
): Promise<string> {
  const words = isDisposable ? withoutSync(config) : [];
  const command = commandLine(config, name, args, "dies-with-host", reach, words);
  const [file, ...rest] = isPatient ? (["nice", ...command] as const) : command;
  const options = { env: { ...environment, ...secrets }, cwd: "/", maxBuffer: outputBytesMax };
  return new Promise((resolve, reject) => {
    const child = execFile(file, rest, options, (error, stdout, stderr) => {
      process.off("exit", kill);
      if (error === null) return resolve(stdout);
      const end = `it ended with ${error.code ?? error.signal}`;
      reject(new Error(`${name} failed: ${lastSaid(stderr) || end}`));
    });
    const kill = () => child.kill("SIGKILL");
    process.on("exit", kill);
    // One that ended before it had read all says so itself.
    child.stdin?.on("error", () => undefined);
    if (input !== undefined) child.stdin?.end(input);
  });
}

// pg_restore repeats whole statements after what is wrong with them, and says which object it is
// about only among all it does.
const command = /^Command was: [\s\S]*?(?=^pg_restore: |(?![\s\S]))/gm;
const chatter = /^pg_restore: (?!error: |from TOC entry ).*\n?/gm;

// pgBackRest says first what is wrong, and then of what, over many lines.
const backrestError = /^.*ERROR: \[\d{3}\]/gm;
const saidMax = 2000;

/** pgBackRest's words without what it quotes of a file it cannot read: that may be a key. */
export function withoutContent(said: string): string {
  return said
    .replaceAll(/(at line \d+)\b.*/g, "$1")
    .replaceAll(/[^\x20-\x7e\n]+/g, " ")
    .trim();
}

function lastSaid(stderr: string): string {
  const error = [...stderr.matchAll(backrestError)].at(-1);
  if (error !== undefined) return withoutContent(stderr.slice(error.index)).slice(0, saidMax);
  const said = stderr.replaceAll(command, "").replaceAll(chatter, "").trim();
  const about = said.lastIndexOf("pg_restore: from TOC entry");
  return about < 0
    ? said.split("\n").slice(-5).join(" ")
    : said.slice(about).split("\n").slice(0, 6).join(" ");
}

/** A program whose output is read while it runs. */
export interface Streaming {
  readonly output: Readable;
  /** Resolves when it ended well, or rejects with its stderr. */
  readonly ended: Promise<void>;
  readonly kill: () => void;
}

const saidCharactersMax = 64 * 1024;

/** Starts a program that lives at most as long as this one. */
export function streamProgram(
  config: HostConfig,
  name: ProgramName,
  args: readonly string[],
  { secrets = {}, reach = "cluster" }: Pick<RunOptions, "secrets" | "reach"> = {},
): Streaming {
  const [file, ...rest] = commandLine(config, name, args, "dies-with-host", reach);
  const child = spawn(file, rest, {
    env: { ...environment, ...secrets },
    cwd: "/",
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-saidCharactersMax);
  });
  const kill = () => void child.kill("SIGKILL");
  process.on("exit", kill);
  const ended = new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      process.off("exit", kill);
      if (code === 0) return resolve();
      reject(new Error(`${name} failed: ${lastSaid(said) || `it ended with ${code ?? signal}`}`));
    });
  });
  // Whoever reads the output to its end asks for this, too.
  ended.catch(() => undefined);
  return { output: child.stdout, ended, kill };
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
  reach: Reach = "cluster",
): Started {
  const line = commandLine(config, name, args, "outlives", reach);
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
