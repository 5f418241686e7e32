// A host program of a test's own: real Postgres and PgBouncer in a directory that goes away.
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Binaries, HostConfig } from "../../host/config.ts";
import { readIfExists } from "../../host/file.ts";
import type { HostCommandInput, HostCommandName } from "../../src/contract/command.ts";
import type { HostAddress } from "../../src/contract/token.ts";
import { createSigner } from "./host-token.ts";

// By user: one cannot clean up after another.
const parent = join(tmpdir(), `miosa-host-test-${process.getuid?.() ?? 0}`);
const nobody = 65_534;
const readyMilliseconds = 60_000;

/** Debian 13's binaries: in the root file system of MIOSA_ROOTFS, or installed on the machine. */
export function testBinaries(): Binaries {
  const root = process.env.MIOSA_ROOTFS;
  if (root !== undefined) return { kind: "rootfs", path: root, bwrap: "/usr/bin/bwrap" };
  return {
    kind: "native",
    postgres: "/usr/lib/postgresql/17/bin",
    pgbouncer: "/usr/sbin/pgbouncer",
    pgbackrest: "/usr/bin/pgbackrest",
  };
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("No port was given.");
  return address.port;
}

/** Ids of the processes whose command line mentions a text. */
function processesOf(text: string): number[] {
  const ids = readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 1 && pid !== process.pid);
  return ids.filter((pid) => {
    const file = `/proc/${pid}/cmdline`;
    try {
      return readFileSync(file, "utf8").includes(text);
    } catch {
      return false;
    }
  });
}

function remove(directory: string): void {
  for (const pid of processesOf(directory)) process.kill(pid, "SIGKILL");
  rmSync(directory, { recursive: true, force: true, maxRetries: 10 });
}

/** Ends and removes what test runs left that were killed. */
function removeLeftovers(): void {
  for (const name of existsSync(parent) ? readdirSync(parent) : []) {
    const owner = Number(/^run-(\d+)-/.exec(name)?.[1]);
    if (owner > 0 && !existsSync(`/proc/${owner}`)) remove(join(parent, name));
  }
}

function makeDirectory(): string {
  removeLeftovers();
  mkdirSync(parent, { recursive: true, mode: 0o755 });
  const directory = mkdtempSync(join(parent, `run-${process.pid}-`));
  if (process.getuid?.() === 0) chownSync(directory, nobody, nobody);
  return directory;
}

/** Puts the shell into a group, `$1`, before it becomes the program. */
const entering = 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"';

function spawnHost(file: string, cgroup: string | undefined): ChildProcess {
  const main = fileURLToPath(new URL("../../host/main.ts", import.meta.url));
  const line = [process.execPath, main, "--config", file];
  const ids = [`--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups"];
  const asNobody = process.getuid?.() === 0 ? ["setpriv", ...ids, ...line] : line;
  const inGroup = cgroup === undefined ? [] : ["/bin/sh", "-c", entering, "sh", cgroup];
  const [program = "", ...args] = [...inGroup, ...asNobody];
  const output = process.env.MIOSA_TEST_VERBOSE === undefined ? "ignore" : "inherit";
  return spawn(program, args, { stdio: ["ignore", "ignore", output] });
}

/** The pid in a pid file of the host's directory; NaN while there is none. */
function pidIn(directory: string, program: "postgres" | "transaction" | "session"): number {
  const name = program === "postgres" ? "data/postmaster.pid" : `run/${program}.pid`;
  return Number.parseInt(readIfExists(join(directory, name)) ?? "", 10);
}

async function isHealthy(url: string): Promise<boolean> {
  return fetch(`${url}/healthz`).then(
    (response) => response.status === 200,
    () => false,
  );
}

async function makeConfig(directory: string, keys: HostConfig["control_keys"]) {
  const [http_port, transaction_port, session_port] = await Promise.all([
    freePort(),
    freePort(),
    freePort(),
  ]);
  return HostConfig.parse({
    host_id: randomUUID(),
    directory,
    binaries: testBinaries(),
    listen: { address: "127.0.0.1", http_port, transaction_port, session_port },
    public_host: "127.0.0.1",
    control_keys: keys,
    databases_max: 300,
  });
}

/** The host program as a process: started until it is ready, ended by a signal. */
function hostProcess(file: string, config: HostConfig, url: string) {
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    child = spawnHost(file, config.cgroup);
    const deadline = performance.now() + readyMilliseconds;
    while (!existsSync(join(config.directory, "control.json")) || !(await isHealthy(url))) {
      if (child.exitCode !== null) throw new Error(`The host ended with ${child.exitCode}.`);
      if (performance.now() > deadline) throw new Error("The host is not ready in time.");
      await delay(20);
    }
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }

  return { start, end, signal: (name: NodeJS.Signals) => child?.kill(name) };
}

/** Starts a host program and waits until it is ready. `changes` replace fields of its file. */
export async function startTestHost(changes: Partial<HostConfig> = {}) {
  const home = makeDirectory();
  const directory = join(home, "host");
  const signer = await createSigner();
  const config = { ...(await makeConfig(directory, [signer.publicJwk])), ...changes };
  const scheme = config.tls === undefined ? "http" : "https";
  const url = `${scheme}://127.0.0.1:${config.listen.http_port}`;
  const file = join(home, "host.json");
  writeFileSync(file, JSON.stringify(config), { mode: 0o644 });
  const { start, end, signal } = hostProcess(file, config, url);

  async function command<Name extends HostCommandName>(
    name: Name,
    input: HostCommandInput<Name>,
  ): Promise<Response> {
    const body = JSON.stringify({ command: name, input });
    const token = await signer.command(body, { aud: config.host_id });
    const headers = { authorization: `Bearer ${token}` };
    return fetch(`${url}/commands`, { method: "POST", headers, body });
  }

  await start();
  const login: { user: string; password: string } = JSON.parse(
    readFileSync(join(directory, "control.json"), "utf8"),
  );
  return {
    config,
    url,
    login,
    command,
    start,
    /** Sends the host program a signal. */
    signal,
    sqlToken: (address: HostAddress) => signer.sql(address, { aud: config.host_id }),
    isHealthy: () => isHealthy(url),
    pid: (program: "postgres" | "transaction" | "session") => pidIn(directory, program),
    /** Ends the host program alone, as a crash would. */
    crash: () => end("SIGKILL"),
    /** Stops all and removes the directory. */
    async stop(): Promise<void> {
      await end("SIGTERM");
      remove(home);
    },
  };
}
export type TestHost = Awaited<ReturnType<typeof startTestHost>>;
