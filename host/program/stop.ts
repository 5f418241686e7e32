// Stops all of a host in order.
import { setTimeout as delay } from "node:timers/promises";
import { fleetMark } from "../instance/fleet.ts";
import { findServers, stopServer } from "../instance/server.ts";
import { log, messageOf } from "../log.ts";
import { createTurns } from "../turn.ts";
import type { Host } from "./open.ts";
import { modes } from "./poolers.ts";

/** Each writes a checkpoint: more at once make each later. */
const stopsAtOnce = 8;

/** For what was written last to reach the store. */
const lastSeconds = 5;

/** Stops every Postgres, also those that were just being made, recovered or looked at. */
async function stopServers({ fleet }: Host): Promise<void> {
  const inTurn = createTurns(stopsAtOnce);
  for (;;) {
    const servers = [...findServers(fleetMark(fleet)).values()];
    if (servers.length === 0) return;
    await Promise.all(servers.map((server) => inTurn(async () => void (await stopServer(server)))));
  }
}

/** Takes what each database wrote last: the machine may be gone before the next start. */
async function takeLast({ files, wal }: Host): Promise<void> {
  const taken = files.databases.all().map(({ database }) => wal.takeNow(database));
  for (const each of await Promise.allSettled(taken)) {
    if (each.status === "rejected") log("warn", `WAL was not taken: ${messageOf(each.reason)}`);
  }
}

/** Stops poolers first, so that nobody meets a Postgres that is shutting down. */
async function stopProcesses(host: Host): Promise<void> {
  await Promise.all(modes.map((mode) => host.poolers[mode].stop()));
  await stopServers(host);
}

/** What copies files for longer than that is ended with this program, and begun anew. */
const backupSeconds = 5;

/** Stops all of it. `keeping` resolves when nothing is at work that might start one again. */
export async function stopHost(host: Host, keeping: Promise<void>): Promise<void> {
  const backingUp = host.past.backups.close();
  await stopProcesses(host);
  await keeping;
  await stopProcesses(host);
  // What was at work lost its Postgres.
  await Promise.race([backingUp, delay(backupSeconds * 1000)]);
  await takeLast(host);
  await host.storage.close();
  await host.wal.close();
  await host.store?.close(lastSeconds);
  host.keeper.close();
}
