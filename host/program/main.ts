// The host program: a Postgres for each database, both poolers, and the way in to them.
//
//   node host/program/main.ts --config FILE        the file: host/program/config.ts
//
// Processes   a postgres for each database that runs, in a box of its own; pgbouncer twice, for
//             pool mode transaction and session. They outlive a host program that is killed: the
//             next one adopts them. SIGTERM and SIGINT stop all, SIGHUP takes a renewed certificate
//             into use.
// Ports       listen.transaction_port, listen.session_port: PgBouncer, for tenants.
//             listen.http_port: GET /healthz, POST /commands, GET and PUT /dumps/:id; for tenants
//             POST /sql and WebSocket /v2 (HTTPS with `tls`).
//             No Postgres has one: each listens on a Unix socket.
// Directory   instance/, record/, link/, door/, bell/, line.json: see host/instance/
//             database/, preview/   what is wanted of each database: host/database/record.ts
//             repository/    base backups and WAL of each database, encrypted; dump/ dumps
//             pooler/        settings, logs and sockets of the poolers
//             tls/           server.crt, server.key; on loopback the CA that signed them, ca.crt
//             transition.jsonl  when databases fell asleep and woke
//             incident.jsonl  what happened that nobody asked for
//             mark.json      the state of D1 that was heard of last
//             host.json      what the host is registered with; secret.json what it keeps to itself
import { parseArgs } from "node:util";
import { markRunning, watchStandstill } from "../incident.ts";
import { lockDirectory } from "../lock.ts";
import { log, messageOf } from "../log.ts";
import { feedWatchdog } from "../watchdog.ts";
import { createAttention } from "./attend.ts";
import { type HostConfig, layout, readConfig } from "./config.ts";
import { refuseFormer } from "./former.ts";
import { createHandlers } from "./handlers.ts";
import { keepHost, renew, watchPoolers } from "./keep.ts";
import { type Ground, openGround, openHost } from "./open.ts";
import { modes } from "./poolers.ts";
import { type Http, serve } from "./serve.ts";
import { stopHost } from "./stop.ts";

/** @throws Error unless this program may run databases as whom it is told to */
function refuseUser({ first_uid: firstUid }: HostConfig): void {
  const isRoot = process.getuid?.() === 0;
  if (isRoot && firstUid === null) {
    throw new Error("Servers never run as root: give first_uid, or use another user.");
  }
  if (!isRoot && firstUid !== null) {
    throw new Error("first_uid: only root may run databases as other users; give null, or be it.");
  }
}

type Stop = () => Promise<void>;

function onSignals(signals: readonly NodeJS.Signals[], act: (signal: string) => Promise<void>) {
  for (const signal of signals) process.on(signal, () => act(signal).catch(giveUp));
}

/** Brings the host up and keeps it. @returns how to stop all that was begun */
function begin(ground: Ground, http: Http, signal: AbortSignal): { up: Promise<void>; stop: Stop } {
  const opening = openHost(ground);
  let keeping: Promise<void> = Promise.resolve();
  const up = opening.then((host) => {
    if (signal.aborted) return;
    const watches = watchPoolers(host);
    const attention = createAttention({ ...host, signal });
    const notReady = () => modes.filter((mode) => !watches[mode].isReady());
    const { metrics, ...work } = createHandlers(host, attention);
    http.open({ ...work, notReady });
    onSignals(["SIGHUP"], () => renew(host, http, true));
    keeping = keepHost(host, http, { watches, attention, metrics }, signal);
    keeping.catch(giveUp);
  });
  const stop = async () => {
    const host = await opening.catch(() => undefined);
    if (host !== undefined) await stopHost(host, keeping);
  };
  return { up, stop };
}

async function run(config: HostConfig): Promise<void> {
  const { directory } = config;
  refuseUser(config);
  refuseFormer(directory);
  await lockDirectory(directory);
  const startedAt = performance.now();
  const ground = await openGround(config);
  const running = markRunning(layout(directory).running, ground.incidents.tell);
  feedWatchdog();
  watchStandstill(ground.incidents.tell);
  const http = await serve(ground);
  const ending = new AbortController();
  const { up, stop } = begin(ground, http, ending.signal);
  onSignals(["SIGTERM", "SIGINT"], async (signal) => {
    if (ending.signal.aborted) return;
    log("info", `Stopping on ${signal}`);
    ending.abort();
    http.close();
    await stop();
    running.ended();
    process.exit(0);
  });
  await up;
  if (ending.signal.aborted) return;
  log("info", "Ready", { milliseconds: Math.round(performance.now() - startedAt) });
}

function giveUp(error: unknown): never {
  log("error", messageOf(error));
  process.exit(1);
}

// What others may not read says so itself; boxes and poolers have users of their own.
process.umask(0o022);
try {
  const { config: file } = parseArgs({ options: { config: { type: "string" } } }).values;
  if (file === undefined) throw new Error("Say which configuration: --config FILE.");
  await run(readConfig(file));
} catch (error) {
  giveUp(error);
}
