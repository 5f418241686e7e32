// Brings the whole system up in order, keeps it up, and takes it down.
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Binaries } from "../../host/base/binaries.ts";
import { writeAtomically } from "../../host/base/file.ts";
import { findRunning } from "../../host/base/running.ts";
import { Registration } from "../../host/program/registration.ts";
import { say } from "../install/command.ts";
import { announce, apiUrl, type Facts, writeDevFile } from "./announce.ts";
import { answersAt, registerHost, waitFor } from "./api.ts";
import { bundle } from "./bundle.ts";
import { type Kept, keepRunning } from "./child.ts";
import { exportD1 } from "./d1-export.ts";
import { createRecord } from "./leftover.ts";
import { cutLog } from "./log-file.ts";
import { isFree, keepPorts, type Ports } from "./ports.ts";
import { preparePsql } from "./psql.ts";
import { keepSecrets, publicKey, refuseLostSecrets, type Secrets } from "./secrets.ts";
import { homePaths, readBackupSettings, type Settings } from "./settings.ts";
import { prepareUids, type Uids } from "./uids.ts";
import { findUsers } from "./users.ts";

const hostStopSeconds = 180;
const workerStopSeconds = 10;
const housekeepingMilliseconds = 60_000;
const exportMilliseconds = 3_600_000;
const lifeSignMilliseconds = 10_000;
// A first start makes the template that all instances are copies of.
const hostReadySeconds = 300;
const workerReadySeconds = 60;

/** One system, from its start to its end. */
interface System {
  readonly settings: Settings;
  readonly ending: AbortSignal;
  readonly secrets: Secrets;
  readonly ports: Ports;
  readonly users: Uids;
  readonly record: ReturnType<typeof createRecord>;
  readonly pids: {
    host: number | undefined;
    worker: number | undefined;
    workerd: number | undefined;
  };
  /** In the order they were started. */
  readonly running: Kept[];
  /** Called whenever a pid has changed. */
  onPids: () => void;
}

const hostMain = join(import.meta.dirname, "../../host/program/main.ts");
const workerMain = join(import.meta.dirname, "worker.ts");

function writeHostConfig(system: System, binaries: Binaries): void {
  const { settings, secrets, ports, users } = system;
  const { hostConfig, host } = homePaths(settings.home);
  const config = {
    host_id: secrets.host_id,
    directory: host,
    binaries,
    first_uid: users.firstUid,
    uids_max: users.uidsMax,
    listen: {
      address: "127.0.0.1",
      http_port: ports.http,
      transaction_port: ports.transaction,
      session_port: ports.session,
    },
    public_host: "127.0.0.1",
    control_keys: [publicKey(secrets)],
    databases_max: settings.databasesMax,
    backends_max: settings.backendsMax,
    clients_max: settings.clientsMax,
    backup: readBackupSettings(settings.home),
  };
  writeAtomically(hostConfig, `${JSON.stringify(config, null, 2)}\n`);
}

const childEnvironment = () => ({ PATH: process.env.PATH, TZ: "UTC", LANG: "C.UTF-8" });

/** Resolves when `ready` does; rejects when the program ends before. */
async function orFails(ready: Promise<void>, kept: Kept): Promise<void> {
  await Promise.race([ready, kept.failed]);
  kept.established();
}

// Collects short-lived objects early: large answers would otherwise stay in memory by the hundred
// megabytes. `host/unit/miosa-host.service` has the same.
const hostFlags = ["--max-semi-space-size=4", "--max-old-space-size=384"];

async function startHost(system: System): Promise<void> {
  const { settings, ports, record, pids } = system;
  const { hostConfig, log } = homePaths(settings.home);
  const kept = keepRunning({
    name: "host program",
    prefix: system.users.prefix,
    args: [...hostFlags, hostMain, "--config", hostConfig],
    env: childEnvironment(),
    log: join(log, "host.log"),
    answers: () => answersAt(`http://127.0.0.1:${ports.http}/healthz`),
    onStart: (pid) => {
      record.add("host program", hostConfig, pid);
      pids.host = pid;
      system.onPids();
    },
  });
  system.running.push(kept);
  const ready = waitFor(`http://127.0.0.1:${ports.http}/healthz`, hostReadySeconds, system.ending);
  const startedAt = performance.now();
  const sign = setInterval(() => {
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    say(
      `  ${seconds} s: the host is not ready yet; its log is ${settings.shown.home}/log/host.log`,
    );
  }, lifeSignMilliseconds);
  await orFails(ready, kept).finally(() => clearInterval(sign));
}

async function startWorker(system: System): Promise<void> {
  const { settings, ports, record, pids } = system;
  const { log, worker } = homePaths(settings.home);
  const closed = [settings.port, ...Object.values(ports)].join(",");
  const { cronSeconds, orphanDays, resolverUrl } = settings;
  const resolver = resolverUrl === undefined ? [] : ["--resolver", resolverUrl];
  const ready = Promise.withResolvers<void>();
  const kept = keepRunning({
    name: "Worker",
    args: [
      workerMain,
      ...["--home", settings.home, "--port", String(settings.port), "--closed-ports", closed],
      ...["--cron-seconds", String(cronSeconds), "--orphan-days", String(orphanDays)],
      ...resolver,
    ],
    // Miniflare is 5 MB of source: compiled once, it loads in half the time.
    env: { ...childEnvironment(), NODE_COMPILE_CACHE: join(worker, "compiled") },
    log: join(log, "worker.log"),
    // What it serves is workerd's, which it looks after itself.
    answers: async () => true,
    onStart: (pid) => {
      record.add("Worker", settings.home, pid);
      pids.worker = pid;
      pids.workerd = undefined;
      system.onPids();
    },
    onMessage: (message) => {
      const { workerd } = message as { readonly workerd?: number };
      if (pids.workerd !== undefined) say("workerd ended: it was started again");
      pids.workerd = workerd;
      system.onPids();
      ready.resolve();
    },
  });
  system.running.push(kept);
  const tooLong = delay(workerReadySeconds * 1000, undefined, {
    signal: system.ending,
    ref: false,
  });
  const late = tooLong.then(() => {
    throw new Error(`The Worker was not ready within ${workerReadySeconds} s.`);
  });
  await orFails(Promise.race([ready.promise, late]), kept);
}

async function register({ settings, secrets, ports }: System): Promise<void> {
  const { host } = homePaths(settings.home);
  const file = readFileSync(join(host, "host.json"), "utf8");
  const { ca_certificates } = Registration.parse(JSON.parse(file));
  await registerHost(apiUrl(settings), secrets.admin_key, {
    id: secrets.host_id,
    name: "local",
    host_url: `http://127.0.0.1:${ports.http}`,
    public_host: "127.0.0.1",
    transaction_port: ports.transaction,
    session_port: ports.session,
    databases_max: settings.databasesMax,
    ...(settings.backendsMax === undefined ? {} : { backends_max: settings.backendsMax }),
    ca_certificates,
  });
}

/** Copies D1 now and every hour, for as long as the system runs. */
function keepExporting({ settings, secrets }: System): void {
  const copy = async () => {
    try {
      await exportD1(settings.home, secrets);
    } catch (error) {
      say(`D1 was not copied: ${error instanceof Error ? error.message : error}`);
    }
  };
  void copy();
  setInterval(copy, exportMilliseconds).unref();
}

/** Logs long children's output within bounds, for as long as the system runs. */
function keepHouse(settings: Settings): void {
  const { log } = homePaths(settings.home);
  setInterval(() => {
    for (const name of ["host.log", "worker.log"]) cutLog(join(log, name));
  }, housekeepingMilliseconds).unref();
}

async function choosePorts(settings: Settings): Promise<Ports> {
  const { ports: file, host } = homePaths(settings.home);
  const { ports, moved } = await keepPorts({
    file,
    home: settings.home,
    // A pooler that the host program is about to adopt.
    isOurs: (name) => {
      const settingsFile = join(host, "pooler", `${name}.ini`);
      return findRunning((words) => (words.includes(settingsFile) ? name : undefined)).size > 0;
    },
  });
  for (const name of moved) {
    const place = name === "http" ? "" : ": every DATABASE_URL has changed its port";
    say(`Another program has the ${name} port by now; taking ${ports[name]}${place}`);
  }
  return ports;
}

/** Users of databases: root has prepared them for a service user; anybody else has them given. */
async function usersOf({ shown, home, rootfs, repository }: Settings): Promise<Uids> {
  const { host } = homePaths(home);
  const prepared = findUsers(shown.home, host);
  if (prepared !== undefined) return prepared;
  const node = dirname(process.execPath);
  const paths = [home, rootfs, repository, node].filter((path) => existsSync(path));
  return prepareUids({ home, paths, hasDatabases: existsSync(join(host, "record")) });
}

async function prepare(settings: Settings, ending: AbortSignal): Promise<System> {
  const paths = homePaths(settings.home);
  rmSync(paths.dev, { force: true });
  refuseLostSecrets(paths);
  for (const path of [paths.log, paths.worker, paths.host]) {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  }
  // Databases' own users pass through it, and list nothing.
  chmodSync(settings.home, 0o711);
  const record = createRecord(paths.processes);
  await record.takeOver();
  const secrets = keepSecrets(paths.secrets);
  const ports = await choosePorts(settings);
  if (!(await isFree(settings.port))) {
    throw new Error(`Port ${settings.port} is taken: stop what listens there, or set MIOSA_PORT.`);
  }
  const users = await usersOf(settings);
  if (users.missing !== null) say(users.missing);
  const pids = { host: undefined, worker: undefined, workerd: undefined };
  const onPids = () => undefined;
  return { settings, ending, secrets, ports, users, record, pids, running: [], onPids };
}

async function bringUp(system: System, binaries: Binaries): Promise<Facts> {
  const { settings, secrets, ports, ending } = system;
  writeHostConfig(system, binaries);
  say(`Starting the host (${ports.transaction} transaction, ${ports.session} session)`);
  const { worker } = homePaths(settings.home);
  const control = async () => {
    if (await bundle(settings.repository, worker)) say("Built the Worker");
    ending.throwIfAborted();
    say(`Starting the Worker (${settings.port})`);
    await startWorker(system);
  };
  // Neither is stopped while the other is half way.
  const both = await Promise.allSettled([startHost(system), control()]);
  for (const one of both) if (one.status === "rejected") throw one.reason;
  await register(system);
  await waitFor(`http://127.0.0.1:${settings.port}/readyz`, workerReadySeconds, ending);
  const psql = preparePsql(settings, binaries);
  return { apiKey: secrets.admin_key, hostId: secrets.host_id, ports, psql };
}

async function takeDown(system: System): Promise<void> {
  rmSync(homePaths(system.settings.home).dev, { force: true });
  system.onPids = () => undefined;
  // The last first: nobody asks a host for something while it goes.
  for (const [index, kept] of [...system.running.entries()].reverse()) {
    await kept.stop(index === 0 ? hostStopSeconds : workerStopSeconds);
  }
  await system.users.release();
}

/** Runs the system until `ending` aborts; resolves when everything is stopped again. */
export async function runSystem(
  settings: Settings,
  binaries: Binaries,
  ending: AbortSignal,
): Promise<void> {
  const startedAt = performance.now();
  const system = await prepare(settings, ending);
  try {
    const facts = await bringUp(system, binaries);
    ending.throwIfAborted();
    system.onPids = () => writeDevFile(settings, facts, { ...system.pids });
    system.onPids();
    announce(settings, facts, (performance.now() - startedAt) / 1000);
    keepHouse(settings);
    keepExporting(system);
    await new Promise((resolve) => ending.addEventListener("abort", resolve, { once: true }));
  } catch (error) {
    if (!ending.aborted) throw error;
  } finally {
    await takeDown(system);
  }
}
