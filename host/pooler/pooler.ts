// One PgBouncer as a process: its box, its start, adoption and end. It outlives the host program,
// as the Postgres behind it do.
import { statSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { ClientConfig } from "pg";
import { readIfExists } from "../base/file.ts";
import {
  endNow,
  endsWithin,
  findRunning,
  isRunning,
  type Running,
  runningAt,
  signal,
} from "../base/running.ts";
import { createSession, type Session } from "../base/session.ts";
import { type CommandLine, launch } from "../base/spawn.ts";
import { findVersion, isAtLeast, pgbouncerMinimum } from "../base/version.ts";
import { programsOf } from "../instance/programs.ts";
import {
  type Certificate,
  filesOf,
  type PoolerFiles,
  type PoolerOptions,
  settingsText,
  writeFiles,
} from "./files.ts";
import { requireFreePort } from "./port.ts";
import { createRefusal } from "./refuse.ts";
import type { Line } from "./render.ts";

const lookMilliseconds = 10;
const startSeconds = 20;
const stopSeconds = 5;

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
    ...["--", pgbouncer, files.settings],
  ];
  return [program, ...args];
}

/** Every PgBouncer of a user that runs on this machine, by its settings file. */
function findPoolers(uid: number): Map<string, Running> {
  return findRunning(([path = "", ...args], pid) => {
    if (!path.endsWith("/pgbouncer")) return undefined;
    // A tenant's process may call itself so.
    const isOurs = statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid === uid;
    return isOurs ? args.find((arg) => arg.endsWith(".ini")) : undefined;
  });
}

/** Where it listens: what it takes up at a start alone. */
function listening(settings: string): string {
  return settings.match(/^(listen_\w+|unix_socket_dir) = .*$/gm)?.join("\n") ?? "";
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
  /** Where its output goes. */
  readonly log: string;
  find(): Running | undefined;
  /** Shows who connects another certificate, from the next `apply` on. */
  renew(certificate: Certificate): void;
  /** Ends it, and with it its clients. */
  stop(): Promise<void>;
}

/** One as a process, whoever started it. */
function createProcess(options: PoolerOptions, files: PoolerFiles) {
  const { mode, port } = options;
  const { name: user, password } = options.console;
  const at = { host: files.socketDirectory, port, database: "pgbouncer" };
  const consoleLogin = { ...at, user, password };
  const console = createSession(consoleLogin);
  const uid = options.uid ?? process.getuid?.() ?? 0;
  let running: Running | undefined;

  const find = () => {
    if (running === undefined || !isRunning(running))
      running = findPoolers(uid).get(files.settings);
    return running;
  };
  const answers = () =>
    console.query("SHOW VERSION").then(
      () => true,
      () => false,
    );

  /** Starts it; resolves when it answers. */
  async function begin(): Promise<void> {
    await requireFreePort(options.address, port, `listen.${mode}_port`);
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

  async function stop(): Promise<void> {
    await console.close();
    const pooler = find();
    if (pooler === undefined) return;
    // SIGQUIT is PgBouncer's "at once"; its SIGTERM waits for every client to leave.
    signal(pooler, "SIGQUIT");
    if (!(await endsWithin(pooler, stopSeconds))) await endNow(pooler);
  }

  return { console, consoleLogin, find, begin, stop };
}

/** The version of one that anybody could stop with one packet; undefined when it is new enough. */
async function findTooOld(console: Session): Promise<string | undefined> {
  const [row] = await console.query<{ version: string }>("SHOW VERSION");
  const version = findVersion(row?.version ?? "") ?? "unknown";
  return isAtLeast(version, pgbouncerMinimum) ? undefined : version;
}

/** Makes one; nothing is started yet. */
export function createPooler(options: PoolerOptions): Pooler {
  const files = filesOf(options.directory, options.mode);
  const { console, consoleLogin, find, begin, stop } = createProcess(options, files);
  const refusal = createRefusal(console);
  let { certificate } = options;
  // A former host program may have ended between a write and the RELOAD.
  let isStale = true;

  async function apply(lines: readonly Line[]): Promise<void> {
    if (writeFiles(options, files, certificate, lines)) isStale = true;
    if (isStale) await console.query("RELOAD");
    isStale = false;
    await refusal.apply(lines);
  }

  /** Ends one that listens elsewhere, or that is of an older version. */
  async function endUnfit(): Promise<void> {
    const before = listening(readIfExists(files.settings) ?? "");
    // One that does not answer is healed by who watches it.
    const version = await findTooOld(console).catch(() => undefined);
    const isUnfit = before !== listening(settingsText(options, files)) || version !== undefined;
    if (isUnfit) await stop();
  }

  async function start(lines: readonly Line[]): Promise<void> {
    refusal.anew();
    if (find() !== undefined) await endUnfit();
    if (find() !== undefined) return apply(lines);
    writeFiles(options, files, certificate, lines);
    await begin();
    isStale = false;
    const version = await findTooOld(console);
    if (version === undefined) return refusal.apply(lines);
    await stop();
    // CVE-2026-107349, CVE-2026-19888: no login is needed for it.
    throw new Error(`PgBouncer ${version} is too old: install ${pgbouncerMinimum} or newer.`);
  }

  return {
    ...{ console, consoleLogin, find, apply, start, stop, log: files.log },
    renew: (next) => {
      certificate = next;
      // Its file is the other pooler's, too, which may have written it.
      isStale = true;
    },
  };
}
