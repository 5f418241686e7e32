// Starts an instance that was put aside while another one of its database went on. Both have the
// same past; from here on its WAL is on a timeline of its own, so that neither is taken for the
// other's.
import { setTimeout as delay } from "node:timers/promises";
import { endNow, type Running } from "../base/running.ts";
import type { Box } from "../instance/box.ts";
import { writeSettings } from "../instance/files.ts";
import type { Fleet } from "../instance/fleet.ts";
import { listInside, removeInside, writeInside } from "../instance/inside.ts";
import type { InstanceRecord } from "../instance/record.ts";
import { startServer } from "../instance/server.ts";
import { platformSession } from "../instance/session.ts";
import { copiesIn, isSegment, timelineOf } from "../wal/segment.ts";
import { reserveTimeline } from "../wal/timeline.ts";
import { passOverTimelines, removeSupply } from "./wal-supply.ts";

const pollMilliseconds = 10;
const longestSeconds = 120;
const signal = ["data", "recovery.signal"];

// Of `/wal` it is given histories alone, which tell what numbers are taken: its own WAL is whole.
const forking = [
  `restore_command = 'case "%f" in *.history) cp "/wal/%f" "%p" ;; *) false ;; esac'`,
  "recovery_target_timeline = 'current'",
];

/** Waits until it has ended its recovery, of which there is nothing to do. */
async function untilOnItsOwn(fleet: Fleet, box: Box, database: string): Promise<void> {
  const session = platformSession(fleet, box.place, database);
  const deadline = performance.now() + longestSeconds * 1000;
  const text = "select pg_is_in_recovery() as is_recovering";
  try {
    while ((await session.query<{ is_recovering: boolean }>(text))[0]?.is_recovering) {
      if (performance.now() > deadline) {
        throw new Error(`${box.place.name} did not go on by itself within ${longestSeconds} s.`);
      }
      await delay(pollMilliseconds);
    }
  } finally {
    await session.close();
  }
}

/** The timeline a stopped instance wrote to last. */
function ownTimeline({ place }: Box): string {
  const names = listInside(place.box, "data", "pg_wal").filter(isSegment);
  return timelineOf(names.toSorted().at(-1) ?? "00000001");
}

/** Starts a stopped instance on a new timeline. `wal` holds its database's histories. */
export async function startForked(
  fleet: Fleet,
  bare: Box,
  { database, size }: InstanceRecord,
  wal: string,
): Promise<Running> {
  const box: Box = { ...bare, reach: { readable: { "/wal": wal } } };
  writeSettings(box, size, forking);
  await passOverTimelines(bare, ownTimeline(bare), reserveTimeline(wal), copiesIn(wal));
  writeInside(box.place.box, signal, "", box.uid);
  let server: Running | undefined;
  try {
    server = await startServer(box);
    await untilOnItsOwn(fleet, box, database);
  } catch (error) {
    // It is as it was: a start without WAL to fetch would not get over the file.
    if (server !== undefined) await endNow(server);
    removeInside(box.place.box, signal);
    throw error;
  }
  await removeSupply(bare);
  writeSettings(box, size);
  const session = platformSession(fleet, box.place, database);
  await session.query("select pg_reload_conf()");
  await session.close();
  return server;
}
