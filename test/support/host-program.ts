// A host program of a test's own: real instances, poolers and repositories in a directory that
// goes away, and commands signed as the control plane signs them.
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Client, type ClientConfig } from "pg";
import type { z } from "zod";
import { findRunning } from "../../host/base/running.ts";
import { fleetMark } from "../../host/instance/fleet.ts";
import { placeOf } from "../../host/instance/place.ts";
import { findServers } from "../../host/instance/server.ts";
import { verifierOf } from "../../host/instance/verifier.ts";
import { HostConfig } from "../../host/program/config.ts";
import {
  type HostCommandInput,
  type HostCommandName,
  type HostCommandReport,
  hostCommands,
} from "../../src/contract/instance/command.ts";
import { protocolVersion } from "../../src/contract/instance/protocol.ts";
import type { DatabaseSpec } from "../../src/contract/instance/spec.ts";
import { protocolHeader } from "../../src/contract/protocol.ts";
import { freePort, testBinaries } from "./host.ts";
import { createSigner } from "./host-token.ts";
import { makeRunDirectory, processesOf } from "./process.ts";
import { smallSpec } from "./spec.ts";

const readyMilliseconds = 120_000;
// Nobody's on a machine.
const users = { first_uid: 2_000_000, uids_max: 100_000 };

type Mode = "transaction" | "session";
type Changes = Partial<z.input<typeof HostConfig>>;

/** A database of a test, and how its tenant gets in. */
export interface ProgramDatabase {
  readonly name: string;
  readonly login: string;
  readonly password: string;
}

async function makeConfig(
  directory: string,
  host_id: string,
  key: HostConfig["control_keys"][number],
) {
  const ports = await Promise.all([freePort(), freePort(), freePort()]);
  const [http_port, transaction_port, session_port] = ports;
  return {
    host_id,
    directory,
    binaries: testBinaries(),
    ...(process.getuid?.() === 0 ? users : {}),
    listen: { address: "127.0.0.1", http_port, transaction_port, session_port },
    public_host: "127.0.0.1",
    control_keys: [key],
  };
}

function spawnProgram(file: string): ChildProcess {
  const main = fileURLToPath(new URL("../../host/program/main.ts", import.meta.url));
  const output = process.env.MIOSA_TEST_VERBOSE === undefined ? "pipe" : "inherit";
  const line = ["--config", file];
  return spawn(process.execPath, [main, ...line], { stdio: ["ignore", "ignore", output] });
}

/** The host program as a process: started until it is ready, ended by a signal. */
function hostProcess(file: string, url: string) {
  let child: ChildProcess | undefined;
  let said = "";

  function launch(): ChildProcess {
    child = spawnProgram(file);
    said = "";
    child.stderr?.on("data", (bytes: Buffer) => {
      said = (said + bytes).slice(-100_000);
    });
    return child;
  }

  const isHealthy = () =>
    fetch(`${url}/healthz`).then(
      (response) => response.status === 200,
      () => false,
    );

  async function start(): Promise<void> {
    const started = launch();
    const deadline = performance.now() + readyMilliseconds;
    while (!(await isHealthy())) {
      if (started.exitCode !== null) throw new Error(`The host ended: ${said}`);
      if (performance.now() > deadline) throw new Error(`The host is not ready in time: ${said}`);
      await delay(20);
    }
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }

  return {
    ...{ start, end, isHealthy },
    signal: (name: NodeJS.Signals) => child?.kill(name),
    pid: () => child?.pid ?? 0,
    said: () => said,
    /** Starts it and waits for its end. @returns its last words */
    async startInVain(): Promise<string> {
      await once(launch(), "exit");
      return said;
    },
  };
}

/** How a command is sent to a host. */
function commander(url: string, signer: Awaited<ReturnType<typeof createSigner>>) {
  async function send<Name extends HostCommandName>(
    name: Name,
    input: HostCommandInput<Name>,
  ): Promise<Response> {
    const body = JSON.stringify({ command: name, input });
    const token = await signer.command(body);
    const headers = { authorization: `Bearer ${token}`, [protocolHeader]: String(protocolVersion) };
    return fetch(`${url}/commands`, { method: "POST", headers, body });
  }

  async function command<Name extends HostCommandName>(
    name: Name,
    input: HostCommandInput<Name>,
  ): Promise<HostCommandReport<Name>> {
    const response = await send(name, input);
    if (!response.ok) throw new Error(`${name}: ${response.status} ${await response.text()}`);
    const { report } = (await response.json()) as { readonly report: unknown };
    return hostCommands[name].report.parse(report) as HostCommandReport<Name>;
  }

  /** The archive of a dump. */
  async function download(id: string): Promise<Buffer> {
    const headers = { authorization: `Bearer ${await signer.dump("GET", id, 0)}` };
    const response = await fetch(`${url}/dumps/${id}`, { headers });
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    return Buffer.from(await response.arrayBuffer());
  }

  return { send, command, download };
}

/** The process of a pooler: its first word is its own, those around it are boxes. */
function poolerPid(directory: string, mode: Mode): number {
  const file = join(directory, "pooler", `${mode}.ini`);
  const found = findRunning(([path = "", ...args]) =>
    path.endsWith("/pgbouncer") && args.includes(file) ? mode : undefined,
  );
  const pid = found.get(mode)?.pid;
  if (pid === undefined) throw new Error(`The pooler for mode ${mode} does not run.`);
  return pid;
}

/** What is wanted of a new database. */
async function order(name: string): Promise<ProgramDatabase & { readonly spec: DatabaseSpec }> {
  const [login, password] = [`usr_${name}`, randomBytes(24).toString("base64url")];
  return { name, login, password, spec: smallSpec(login, await verifierOf(password, 4096)) };
}

/** Logs in as a tenant. */
async function connectTo(
  port: number,
  { name: database, login: user, password }: ProgramDatabase,
  more: ClientConfig,
): Promise<Client> {
  const client = new Client({ host: "127.0.0.1", port, database, user, password, ...more });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

/** Prepares a host program, in a directory of its own; `start` starts it. */
export async function prepareHostProgram(changes: Changes = {}) {
  const home = makeRunDirectory();
  chmodSync(home, 0o711);
  const directory = join(home, "host");
  mkdirSync(directory);
  const hostId = randomUUID();
  const signer = await createSigner(hostId);
  const wanted = { ...(await makeConfig(directory, hostId, signer.publicJwk)), ...changes };
  const config = HostConfig.parse(wanted);
  const scheme = config.tls === undefined ? "http" : "https";
  const url = `${scheme}://127.0.0.1:${config.listen.http_port}`;
  const file = join(home, "host.json");
  writeFileSync(file, JSON.stringify(wanted), { mode: 0o600 });
  const program = hostProcess(file, url);
  const { command, ...sender } = commander(url, signer);

  /** Every Postgres that runs, by the name of its instance. */
  const servers = () => findServers(fleetMark({ directory }));

  return {
    ...program,
    ...{ ...sender, config, directory, url, command, order },
    /** Makes a database by a command; `changes` replace fields of its spec. */
    async create(name: string, changed: Partial<DatabaseSpec> = {}): Promise<ProgramDatabase> {
      const { spec, ...made } = await order(name);
      await command("database.create", { database: name, spec: { ...spec, ...changed } });
      return made;
    },
    urlOf: ({ name, login, password }: ProgramDatabase, mode: Mode = "transaction") =>
      `postgresql://${login}:${password}@127.0.0.1:${config.listen[`${mode}_port`]}/${name}`,
    /** Logs in as its tenant. */
    connect: (who: ProgramDatabase, mode: Mode = "transaction", more: ClientConfig = {}) =>
      connectTo(config.listen[`${mode}_port`], who, more),
    servers,
    /** The Postgres of a database; undefined while none runs. */
    server: ({ name }: ProgramDatabase) =>
      [...servers()].find(([instance]) => instance.split(".")[0] === name)?.[1],
    /** Where what an instance may write is: of the one that runs for a database. */
    boxOf({ name }: ProgramDatabase): string {
      const found = [...servers().keys()].find((instance) => instance.split(".")[0] === name);
      return placeOf(directory, found ?? name).box;
    },
    /** The process of a pooler. */
    pooler: (mode: Mode) => poolerPid(directory, mode),
    /** Processes of the host, the program's own and all it started. */
    processes: () => processesOf(directory),
    /** Ends the host program alone, as a crash would. */
    crash: () => program.end("SIGKILL"),
    /** Stops all and removes the directory. */
    async stop(): Promise<void> {
      await program.end("SIGTERM");
      for (const pid of processesOf(home)) process.kill(pid, "SIGKILL");
      rmSync(home, { recursive: true, force: true, maxRetries: 10 });
    },
  };
}
export type HostProgram = Awaited<ReturnType<typeof prepareHostProgram>>;

/** Starts one and waits until it is ready. */
export async function startHostProgram(changes: Changes = {}): Promise<HostProgram> {
  const host = await prepareHostProgram(changes);
  await host.start();
  return host;
}
