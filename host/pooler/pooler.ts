// One PgBouncer as a process: its files, its box, its start, adoption and end. It outlives the host
// program, as the Postgres behind it do.
import { chmodSync, chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { ClientConfig } from "pg";
import {
  endNow,
  endsWithin,
  findRunning,
  isRunning,
  type Running,
  runningAt,
  signal,
} from "../base/running.ts";
import { type CommandLine, launch } from "../base/spawn.ts";
import type { Binaries } from "../config.ts";
import { readIfExists, writeIfChanged } from "../file.ts";
import { passwdText } from "../instance/box.ts";
import { makePassable } from "../instance/files.ts";
import { socketPort } from "../instance/place.ts";
import { programsOf } from "../instance/programs.ts";
import { createSession, type Session } from "../session.ts";
import {
  type ConsoleUser,
  type Line,
  type PoolerPlace,
  renderHba,
  renderLines,
  renderPooler,
  renderUsers,
} from "./render.ts";

const lookMilliseconds = 10;
const startSeconds = 20;
const stopSeconds = 5;

/** One pooler. */
export interface PoolerOptions {
  readonly binaries: Binaries;
  /** Its own, which its user may pass through and nobody else reads. */
  readonly directory: string;
  /** The user it runs as; null where the host program may not give it one. */
  readonly uid: number | null;
  readonly mode: PoolerPlace["mode"];
  readonly address: string;
  readonly port: number;
  readonly clientsMax: number;
  readonly certificate: { readonly cert: string; readonly key: string };
  readonly requiresTls: boolean;
  readonly console: ConsoleUser & { readonly password: string };
  /** What its lines lead to: links, sockets of instances, and the host program's own. */
  readonly reachable: readonly string[];
}

/** A pooler's files. */
function filesOf(directory: string, mode: PoolerPlace["mode"]) {
  const at = (name: string) => join(directory, name);
  return {
    settings: at(`${mode}.ini`),
    databases: at(`${mode}-databases.ini`),
    users: at(`${mode}-users.txt`),
    hba: at(`${mode}-hba.conf`),
    certificate: at("server.crt"),
    key: at("server.key"),
    passwd: at("passwd"),
    socketDirectory: at(mode),
    log: at(`${mode}.log`),
  };
}
type PoolerFiles = ReturnType<typeof filesOf>;

function placeOf(options: PoolerOptions, files: PoolerFiles): PoolerPlace {
  const { mode, address, port, clientsMax } = options;
  return {
    ...{ mode, address, port, clientsMax },
    socketDirectory: files.socketDirectory,
    databasesFile: files.databases,
    usersFile: files.users,
    hbaFile: files.hba,
    tls: {
      certificateFile: files.certificate,
      keyFile: files.key,
      isRequired: options.requiresTls,
    },
  };
}

/** Writes a file its user may read and nobody else; true when it differs from before. */
function give(path: string, text: string, uid: number | null): boolean {
  const isNew = writeIfChanged(path, text);
  chmodSync(path, 0o640);
  if (uid !== null) chownSync(path, -1, uid);
  return isNew;
}

/** Writes its files; true when a running one has to read them again. */
function writeFiles(options: PoolerOptions, files: PoolerFiles, lines: readonly Line[]): boolean {
  const { uid, console, directory, certificate } = options;
  makePassable(directory);
  mkdirSync(files.socketDirectory, { recursive: true, mode: 0o700 });
  if (uid !== null) chownSync(files.socketDirectory, uid, uid);
  give(files.passwd, passwdText(uid ?? process.getuid?.() ?? 0), uid);
  const changes = [
    give(files.certificate, certificate.cert, uid),
    give(files.key, certificate.key, uid),
    give(files.settings, renderPooler(placeOf(options, files), console), uid),
    give(files.users, renderUsers(lines, console), uid),
    give(files.hba, renderHba(lines, console), uid),
    give(files.databases, renderLines(lines, socketPort), uid),
  ];
  return changes.includes(true);
}

/** Blocks of memory from which on each is one of its own for the kernel. */
const largeBytes = 64 * 1024;

// A file for each client and each server connection.
const manyFiles = 'ulimit -n "$(ulimit -Hn)" && ulimit -c 0 && exec "$@"';

function commandLine(options: PoolerOptions, files: PoolerFiles): CommandLine {
  const { binaries, uid, directory, reachable } = options;
  const ids = [`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "--inh-caps=-all"];
  const become = uid === null ? [] : ["/usr/bin/setpriv", ...ids, "--"];
  const { bwrap, mounts, pgbouncer } = programsOf(binaries);
  const [program = "", ...args] = [
    ...become,
    ...["/bin/sh", "-c", manyFiles, "sh", bwrap],
    ...["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--as-pid-1", "--new-session"],
    ...mounts,
    ...["--ro-bind", files.passwd, "/etc/passwd", "--proc", "/proc", "--dev", "/dev"],
    // What was taken for a long statement goes back to the system with it.
    ...["--setenv", "MALLOC_MMAP_THRESHOLD_", String(largeBytes)],
    ...["--ro-bind", directory, directory],
    ...["--bind", files.socketDirectory, files.socketDirectory],
    ...reachable.flatMap((path) => ["--ro-bind", path, path]),
    ...["--", pgbouncer, "-q", files.settings],
  ];
  return [program, ...args];
}

/** Every PgBouncer that runs on this machine, by its settings file. */
function findPoolers(): Map<string, Running> {
  return findRunning(([path = "", ...args]) =>
    path.endsWith("/pgbouncer") ? args.find((arg) => arg.endsWith(".ini")) : undefined,
  );
}

/** A pooler as the host program uses it. */
export interface Pooler {
  /** Starts it with these lines, or takes over the one that runs. */
  start(lines: readonly Line[]): Promise<void>;
  /** Has it serve these lines from now on; who is connected stays. */
  apply(lines: readonly Line[]): Promise<void>;
  readonly console: Session;
  /** How to open another session with its console. */
  readonly consoleLogin: ClientConfig;
  find(): Running | undefined;
  /** Ends it, and with it its clients. */
  stop(): Promise<void>;
}

/** Makes one; nothing is started yet. */
export function createPooler(options: PoolerOptions): Pooler {
  const { directory, mode, port } = options;
  const files = filesOf(directory, mode);
  const { name: user, password } = options.console;
  const at = { host: files.socketDirectory, port, database: "pgbouncer" };
  const consoleLogin = { ...at, user, password };
  const console = createSession(consoleLogin);
  let running: Running | undefined;

  const find = () => {
    if (running === undefined || !isRunning(running)) running = findPoolers().get(files.settings);
    return running;
  };
  const answers = () =>
    console.query("SHOW VERSION").then(
      () => true,
      () => false,
    );

  async function begin(): Promise<void> {
    const launched = launch(commandLine(options, files), files.log);
    const deadline = performance.now() + startSeconds * 1000;
    while (!(await answers())) {
      if (launched.exitCode() !== undefined) {
        const said = readIfExists(files.log)?.trim().split("\n").at(-1);
        throw new Error(`PgBouncer (${mode}) did not start: ${said}`);
      }
      if (performance.now() > deadline) {
        const begun = runningAt(launched.pid);
        if (begun !== undefined) await endNow(begun);
        throw new Error(`PgBouncer (${mode}) did not answer within ${startSeconds} s.`);
      }
      await delay(lookMilliseconds);
    }
  }

  async function apply(lines: readonly Line[]): Promise<void> {
    if (writeFiles(options, files, lines)) await console.query("RELOAD");
  }

  return {
    console,
    consoleLogin,
    find,
    apply,
    async start(lines) {
      if (find() !== undefined) return apply(lines);
      writeFiles(options, files, lines);
      await begin();
    },
    async stop() {
      await console.close();
      const pooler = find();
      if (pooler === undefined) return;
      // SIGQUIT is PgBouncer's "at once"; its SIGTERM waits for every client to leave.
      signal(pooler, "SIGQUIT");
      if (!(await endsWithin(pooler, stopSeconds))) await endNow(pooler);
    },
  };
}
