// What a host does by itself for as long as it runs.

import { endNow } from "../base/running.ts";
import { settleAll } from "../database/settle.ts";
import { cutLog } from "../instance/log.ts";
import { log, messageOf } from "../log.ts";
import type { Metrics } from "../observe/metric.ts";
import { createStatementWatch } from "../pooler/statement-memory.ts";
import { probeServer } from "../server-probe.ts";
import { createWatch, type Program, supervise, type Watch } from "../supervise.ts";
import { repeat } from "../watch.ts";
import type { Attention } from "./attend.ts";
import { type Host, readCertificate, renewCertificate } from "./open.ts";
import { localAddress, type Mode, modes } from "./poolers.ts";
import type { Http } from "./serve.ts";

const probeMilliseconds = 1000;
const certificateMilliseconds = 60_000;
const logMilliseconds = 10_000;
const lookMilliseconds = 1000;
// Each look is a connection of its own, also when nothing else happens.
const poolerMilliseconds = 500;
const backupMilliseconds = 60_000;
const overMilliseconds = 10_000;
const metricMilliseconds = 15_000;
const memoryMilliseconds = 2000;

/** A pooler, for who watches it. */
function programOf({ config, poolers, linesFor }: Host, mode: Mode): Program {
  const pooler = poolers[mode];
  // Over TCP, as a stopping PgBouncer goes on answering on its Unix socket; without a login, as it
  // would write each into its log.
  const at = { host: localAddress(config), port: config.listen[`${mode}_port`] };
  return {
    name: mode,
    find: () => pooler.find()?.pid,
    start: () => pooler.start(linesFor(mode)),
    check: async () => void (await pooler.console.query("SHOW VERSION")),
    probe: () => probeServer({ at }, probeMilliseconds),
    stop: pooler.stop,
    end: async () => {
      const running = pooler.find();
      if (running !== undefined) await endNow(running);
    },
  };
}

/** Takes a renewed certificate into use; connections that are open go on with the former one. */
export async function renew(host: Host, http: Http, isSure: boolean): Promise<void> {
  try {
    const isNew = await renewCertificate(host.config);
    if (!isNew && !isSure) return;
    const certificate = readCertificate(host.config);
    for (const mode of modes) host.poolers[mode].renew(certificate);
    await host.pair.apply();
    http.renew();
    if (isNew) log("info", "The certificate is a new one");
  } catch (error) {
    log("error", `The certificate stays as it was: ${messageOf(error)}`);
  }
}

/** Keeps prepared statements from taking a pooler's memory. */
function watchStatements({ poolers }: Host, signal: AbortSignal): Promise<void>[] {
  return modes.map((mode) => {
    const look = createStatementWatch(poolers[mode]);
    const work = async () => void (await look());
    return repeat(`look at the memory of ${mode}`, memoryMilliseconds, work, signal);
  });
}

/** Watches of both poolers. */
export function watchPoolers(host: Host): Readonly<Record<Mode, Watch>> {
  const watch = (mode: Mode) => createWatch(programOf(host, mode), host.incidents.tell);
  return { transaction: watch("transaction"), session: watch("session") };
}

/** Who looks after what. */
export interface Keepers {
  readonly watches: ReturnType<typeof watchPoolers>;
  readonly attention: Attention;
  readonly metrics: Pick<Metrics, "look">;
}

/** Keeps a host until the signal aborts; resolves when nothing of it is at work any more. */
export async function keepHost(
  host: Host,
  http: Http,
  { watches, attention, metrics }: Keepers,
  signal: AbortSignal,
): Promise<void> {
  const { keeper, poolers } = host;
  const cutLogs = async () => {
    keeper.cutLogs();
    for (const mode of modes) cutLog(poolers[mode].log);
  };
  await Promise.all([
    ...modes.map((mode) => supervise(watches[mode], signal, poolerMilliseconds)),
    ...watchStatements(host, signal),
    settleAll(host.means),
    repeat("look after instances", lookMilliseconds, attention.look, signal),
    repeat("put databases to sleep", lookMilliseconds, attention.sleepIdle, signal),
    repeat("take base backups", backupMilliseconds, host.past.backups.look, signal),
    repeat("end what is over", overMilliseconds, host.past.recoveries.look, signal),
    repeat("count", metricMilliseconds, metrics.look, signal),
    repeat("renew", certificateMilliseconds, () => renew(host, http, false), signal),
    repeat("cut logs", logMilliseconds, cutLogs, signal),
  ]);
}
