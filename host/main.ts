// The host program: one cluster's Postgres and poolers, kept running, and the way in to them.
//
//   node host/main.ts --config FILE        the file: host/config.ts
//
// Processes   postgres; pgbouncer twice, for pool mode transaction and session. They outlive a
//             host program that is killed: the next one adopts them. SIGTERM and SIGINT stop all,
//             SIGHUP takes a renewed certificate into use.
// Ports       listen.transaction_port, listen.session_port: PgBouncer, for tenants.
//             listen.http_port: GET /healthz, POST /commands, GET and PUT /dumps/:id, WebSocket
//             /v1; for tenants POST /sql and WebSocket /v2 (HTTPS with `tls`).
//             Postgres has none: it listens on a Unix socket only this user can reach.
// Directory   data/          Postgres' data directory, data.part-…/ while it is being made
//             run/           sockets and pid files: Postgres' own, transaction/, session/
//             pooler/        settings of the poolers, databases.json (what is wanted of single
//                            databases: limits, stopped or suspended, memory, addresses)
//             tls/           server.crt, server.key; on loopback the CA that signed them, ca.crt
//             repository/    base backups, WAL and dumps, encrypted; backrest/ pgBackRest's
//                            settings, queue and locks, and what became of backups; scratch/
//                            recoveries
//             log/           postgres-*.log, pgbouncer-*.log, slow-*.log (statements); *.out before
//                            a server has its log
//             metric/        what single databases did, a file for each
//             transition.jsonl  when databases were suspended and woken
//             incident.jsonl  what happened to servers that nobody asked for
//             mark.json      the state of D1 that was heard of last
//             secret.json    passwords; control.json the control plane's login, once all is ready
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { protocolVersion } from "../src/contract/protocol.ts";
import { type Admission, createAdmission } from "./admission.ts";
import { runProgram } from "./binary.ts";
import { prepareCertificate } from "./certificate.ts";
import {
  type Cluster,
  findNotReady,
  openCluster,
  reloadPoolers,
  startCluster,
  stopCluster,
} from "./cluster.ts";
import { type CommandHandlers, dispatch } from "./command.ts";
import { type HostConfig, layout, readConfig } from "./config.ts";
import { openDatabases } from "./database.ts";
import { createDumps, type Dumps } from "./dump-queue.ts";
import { openDumpStore } from "./dump-store.ts";
import { createHandlers } from "./handler.ts";
import { markRunning, watchStandstill } from "./incident.ts";
import { lockDirectory } from "./lock.ts";
import { log, messageOf } from "./log.ts";
import { pruneLogs, rotatePoolerLog } from "./log-file.ts";
import { createQueueWatch } from "./notification.ts";
import { poolerFiles } from "./pgbouncer-config.ts";
import { createPreviews } from "./preview.ts";
import { HostProblem } from "./problem.ts";
import { openRecoveries, type Recoveries } from "./recovery.ts";
import { createHostServer, listen, renewKeyPair } from "./server.ts";
import { createShares } from "./share.ts";
import { createSqlHttp } from "./sql-http.ts";
import { supervise } from "./supervise.ts";
import { proxyTargets, sqlTarget } from "./target.ts";
import { createTokenGate } from "./token.ts";
import { repeat } from "./watch.ts";
import { feedWatchdog } from "./watchdog.ts";
import { createProxy } from "./websocket.ts";

const heartbeatMilliseconds = 60_000;
const memoryMilliseconds = 100;
const housekeepingMilliseconds = 60_000;
const healMilliseconds = 5000;
const copyMilliseconds = 2000;

function readKeyPair(config: HostConfig) {
  if (config.tls === undefined) return undefined;
  const { certificate_file, key_file } = config.tls;
  return { cert: readFileSync(certificate_file, "utf8"), key: readFileSync(key_file, "utf8") };
}

/** What takes commands and lets tenants in, once all servers run. */
interface Opened {
  readonly handlers: CommandHandlers;
  readonly dumps: Dumps;
  readonly admission: Admission;
}

type Http = Awaited<ReturnType<typeof serve>>;

/** Serves HTTP at once; commands are refused until `open` is called. */
async function serve(cluster: Cluster) {
  const { config } = cluster;
  const keys = { clusterId: config.cluster_id, keys: config.control_keys };
  const gate = createTokenGate({ ...keys, now: Date.now });
  const caps = { tenantConnectionsMax: 5000, controlConnectionsMax: 500 };
  let open: Opened | undefined;
  const opened = () => {
    if (open !== undefined) return open;
    throw new HostProblem(503, "starting", "The host is starting: try again in a second.");
  };
  const admission = () => opened().admission;
  const shares = createShares();
  const proxy = createProxy({ targets: proxyTargets(config), gate, admission, shares, ...caps });
  const command = (body: string) => dispatch(opened().handlers, body);
  const work = { protocolVersion, command, dumps: () => opened().dumps };
  const sql = createSqlHttp(sqlTarget(config), admission, shares);
  // Servers of an earlier host program answer before this one takes commands.
  const notReady = () => (open === undefined ? ["host" as const] : findNotReady(cluster));
  const server = createHostServer({ gate, ...work, proxy, sql, notReady }, readKeyPair(config));
  await listen(server, config);
  return {
    open: (now: Opened) => {
      open = now;
    },
    renew: () => {
      const keyPair = readKeyPair(config);
      if (keyPair !== undefined) renewKeyPair(server, keyPair);
    },
    close: () => {
      server.close();
      proxy.close();
      server.closeAllConnections();
    },
  };
}

function keepHouse(cluster: Cluster, http: Http): NodeJS.Timeout {
  const { config } = cluster;
  const keep = async () => {
    await renew(cluster, http, { always: false });
    pruneLogs(layout(config.directory).log);
    cluster.weights.tidy();
    const modes = ["transaction", "session"] as const;
    const isLong = modes.map((mode) => rotatePoolerLog(poolerFiles(config, mode).log));
    if (isLong.includes(true)) await reloadPoolers(cluster);
  };
  return setInterval(() => {
    keep().catch((error) => log("error", `Housekeeping failed: ${messageOf(error)}`));
  }, housekeepingMilliseconds);
}

function onSignals(signals: readonly NodeJS.Signals[], act: (signal: string) => Promise<void>) {
  for (const signal of signals) process.on(signal, () => act(signal).catch(giveUp));
}

/** Takes a renewed certificate into use; connections that are open go on with the former one. */
async function renew(
  cluster: Cluster,
  http: Http,
  { always }: { readonly always: boolean },
): Promise<void> {
  try {
    const openssl = (args: readonly string[]) => runProgram(cluster.config, "openssl", args);
    const isNew = await prepareCertificate(cluster.config, openssl);
    if (!isNew && !always) return;
    await reloadPoolers(cluster);
    http.renew();
    if (isNew) log("info", "The certificate is a new one");
  } catch (error) {
    log("error", `The certificate stays as it was: ${messageOf(error)}`);
  }
}

async function run(config: HostConfig): Promise<void> {
  await lockDirectory(config.directory);
  const startedAt = performance.now();
  const cluster = openCluster(config);
  const running = markRunning(layout(config.directory).running, cluster.incidents.tell);
  feedWatchdog();
  watchStandstill(cluster.incidents.tell);
  const http = await serve(cluster);
  const ending = new AbortController();
  const starting = startCluster(cluster, ending.signal);
  const working: Promise<unknown>[] = [starting];
  let recoveries: Recoveries | undefined;
  onSignals(["SIGTERM", "SIGINT"], async (signal) => {
    if (ending.signal.aborted) return;
    log("info", `Stopping on ${signal}`);
    ending.abort();
    http.close();
    await Promise.all([stopCluster(cluster), recoveries?.endAll()]);
    // Once more for a server that was just being started, and had no pid file yet.
    await Promise.allSettled(working);
    await stopCluster(cluster);
    running.ended();
    process.exit(0);
  });
  const backup = await starting.catch((error) => {
    if (!ending.signal.aborted) throw error;
  });
  if (backup === undefined || ending.signal.aborted) return;
  const databases = openDatabases(cluster);
  const store = openDumpStore(layout(config.directory).dumps, cluster.secrets.repository_key);
  const dumps = createDumps(config, store);
  const previews = createPreviews(databases.file, cluster.weights);
  const { whileLoading } = databases;
  const beside = { dumps: store, previews, whileLoading };
  recoveries = await openRecoveries(config, cluster.secrets, backup, beside);
  const handlers = createHandlers(cluster, databases, backup, recoveries, dumps);
  http.open({ handlers, dumps, admission: createAdmission(databases.file) });
  log("info", "Ready", { milliseconds: Math.round(performance.now() - startedAt) });
  onSignals(["SIGHUP"], () => renew(cluster, http, { always: true }));
  keepHouse(cluster, http);
  const watches = Object.values(cluster.watches);
  working.push(...watches.map((watch) => supervise(watch, ending.signal)));
  working.push(databases.keep(ending.signal));
  const beat = backup.archive.heartbeatIfBusy;
  const { heal, store: second } = backup;
  working.push(repeat("heal the repository", healMilliseconds, heal, ending.signal));
  if (second !== undefined) {
    working.push(repeat("copy WAL", copyMilliseconds, second.copyWal, ending.signal));
    working.push(repeat("copy a base backup", healMilliseconds, second.backUp, ending.signal));
  }
  const tidy = recoveries.removeAbandoned;
  working.push(repeat("remove recoveries", housekeepingMilliseconds, tidy, ending.signal));
  const watchQueue = createQueueWatch(cluster.control);
  working.push(repeat("watch NOTIFY", healMilliseconds, watchQueue, ending.signal));
  const limitMemory = previews.limitMemory;
  working.push(repeat("limit previews", memoryMilliseconds, limitMemory, ending.signal));
  working.push(repeat("note a commit", heartbeatMilliseconds, beat, ending.signal));
}

function giveUp(error: unknown): never {
  log("error", messageOf(error));
  process.exit(1);
}

if (process.getuid?.() === 0) giveUp(new Error("Servers never run as root: use another user."));
process.umask(0o077);
try {
  const { config: file } = parseArgs({ options: { config: { type: "string" } } }).values;
  if (file === undefined) throw new Error("Say which configuration: --config FILE.");
  await run(readConfig(file));
} catch (error) {
  giveUp(error);
}
