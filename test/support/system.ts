// A whole system of a test's own, started the way `npm start` does it: Worker, D1, host program,
// Postgres and both poolers, on free ports, in a directory that goes away.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { findRunning, type Running } from "../../host/base/running.ts";
import { kill, makeRunDirectory, processesOf, removeRunDirectory } from "./process.ts";

const repository = resolve(import.meta.dirname, "../..");
// The first start on a machine builds a root file system.
const readyMilliseconds = 900_000;
// Postgres writes everything down before it stops.
const stopMilliseconds = 180_000;

const DevFile = z.object({
  api_url: z.string(),
  api_key: z.string(),
  root_url: z.string(),
  host_url: z.string(),
  host_id: z.string(),
  ports: z.record(z.string(), z.int()),
  pids: z.record(z.string(), z.int()),
  host_directory: z.string(),
  /** The command that runs psql on this machine. */
  psql: z.string(),
});

/** What `dev.json` says of a running system. */
export type DevFile = z.infer<typeof DevFile>;

/** The programs of a system that a test may kill. */
export type Program =
  | "launcher"
  | "host"
  | "worker"
  | "workerd"
  | "pgbouncer_transaction"
  | "pgbouncer_session";

/** A state directory with a system that runs in it, whoever started it. */
export interface RunningSystem {
  readonly home: string;
  /** Facts as they are now; throws while the system is down. */
  readonly dev: () => DevFile;
  /** The process id of a program as it is now. */
  readonly pid: (program: Program) => number;
}

/** The root file system that all test runs of this clone share, should this machine need one. */
export function rootfsDirectory(): string {
  return process.env.MIOSA_ROOTFS ?? join(repository, ".miosa", "rootfs");
}

function unknown(program: Program): never {
  throw new Error(`The process of ${program} is not known.`);
}

/** A pooler by its settings file, in a namespace whose first process it is. */
function poolerOf(directory: string, mode: string): Running | undefined {
  const settingsFile = join(directory, "pooler", `${mode}.ini`);
  const isIt = ([path = "", ...words]: readonly string[]) =>
    path.endsWith("/pgbouncer") && words.includes(settingsFile);
  return findRunning((words) => (isIt(words) ? mode : undefined)).get(mode);
}

/** The system in a state directory. */
export function systemIn(home: string): RunningSystem {
  const dev = () => DevFile.parse(JSON.parse(readFileSync(join(home, "dev.json"), "utf8")));
  const pid = (program: Program) => {
    const { pids, host_directory } = dev();
    const mode = /^pgbouncer_(.+)$/.exec(program)?.[1];
    if (mode === undefined) return pids[program] ?? unknown(program);
    return poolerOf(host_directory, mode)?.pid ?? unknown(program);
  };
  return { home, dev, pid };
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** What is not as a start has it by itself. */
interface SystemOptions {
  /** What backup.json says. */
  readonly backup?: unknown;
  /** How often cron triggers fire. */
  readonly cronSeconds?: number;
  /** Backends of the host for tenants; by default room for the databases of all files. */
  readonly backendsMax?: number;
  /** Databases the host takes; the launcher's own number if absent. */
  readonly databasesMax?: number;
  /** Clients of one pooler: what a test needs, also where few files may be open. */
  readonly clientsMax?: number;
}

/** Starts a system and waits until it is ready. */
export async function startSystem(options: SystemOptions = {}) {
  const { backup, cronSeconds = 60, backendsMax = 2400, databasesMax, clientsMax = 5000 } = options;
  const directory = makeRunDirectory();
  const [home, log] = [join(directory, "home"), join(directory, "launcher.log")];
  if (backup !== undefined) writeBackupFile(home, backup);
  const port = await freePort();
  const system = systemIn(home);
  let launcher: ChildProcess | undefined;
  async function start(): Promise<void> {
    const plan = { backendsMax, databasesMax, clientsMax };
    launcher = launch({ home, port, cronSeconds, ...plan }, log);
    const deadline = performance.now() + readyMilliseconds;
    // The file may be there from before a crash.
    while (!isUp(launcher)) {
      if (hasEnded(launcher) || performance.now() > deadline) {
        throw new Error(`The system did not come up:\n${readFileSync(log, "utf8").slice(-4000)}`);
      }
      await delay(50);
    }
  }

  function isUp({ pid }: ChildProcess): boolean {
    try {
      return system.dev().pids.launcher === pid;
    } catch {
      return false;
    }
  }

  async function stop(): Promise<void> {
    if (launcher !== undefined && !hasEnded(launcher)) {
      const ended = once(launcher, "exit", { signal: AbortSignal.timeout(stopMilliseconds) });
      launcher.kill("SIGTERM");
      await ended;
    }
  }

  /** Kills every process of the system at once; nothing gets to say good-bye. */
  async function crash(): Promise<void> {
    const ended = launcher === undefined || hasEnded(launcher) ? null : once(launcher, "exit");
    for (const pid of processesOf(directory)) kill(pid);
    await ended;
  }

  await start().catch((error: unknown) => {
    removeRunDirectory(directory);
    throw error;
  });
  return {
    ...system,
    log,
    start,
    stop,
    crash,
    /** Ends it at once, since nobody needs its data any more, and removes its directory. */
    remove: async () => {
      await crash().finally(() => removeRunDirectory(directory));
    },
  };
}
export type OwnSystem = Awaited<ReturnType<typeof startSystem>>;

function writeBackupFile(home: string, backup: unknown): void {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  writeFileSync(join(home, "backup.json"), JSON.stringify(backup), { mode: 0o600 });
}

interface Launch {
  readonly home: string;
  readonly port: number;
  readonly cronSeconds: number;
  readonly backendsMax: number;
  readonly databasesMax: number | undefined;
  readonly clientsMax: number;
}

function launch(options: Launch, log: string): ChildProcess {
  const { home, port, cronSeconds, backendsMax, databasesMax, clientsMax } = options;
  const output = openSync(log, "a");
  const child = spawn(process.execPath, [join(repository, "local/launch/main.ts")], {
    env: {
      ...process.env,
      MIOSA_HOME: home,
      MIOSA_PORT: String(port),
      MIOSA_CRON_SECONDS: String(cronSeconds),
      MIOSA_BACKENDS_MAX: String(backendsMax),
      MIOSA_CLIENTS_MAX: String(clientsMax),
      ...(databasesMax === undefined ? {} : { MIOSA_DATABASES_MAX: String(databasesMax) }),
      MIOSA_ROOTFS: rootfsDirectory(),
    },
    stdio: ["ignore", output, output],
    detached: true,
  });
  closeSync(output);
  return child;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("No port was given.");
  return address.port;
}
