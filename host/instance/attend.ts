// What is done with instances that nobody asked for: they fall asleep and wake, are taken over by
// the next host program, and start again when they ended or let nobody in.

import type { Lanes } from "../base/lane.ts";
import { log, messageOf } from "../base/log.ts";
import { endNow, type Running } from "../base/running.ts";
import { lead, leadTo, type Parts } from "./serve.ts";
import { stopServer } from "./server.ts";

/**
 * Holds the clients of a line nobody uses. @returns how to let them go on; undefined, and nobody is
 * held, when somebody uses it after all
 */
export type HoldUnused = (line: string) => Promise<(() => Promise<void>) | undefined>;
const nobodyHeld = async () => undefined;

/** What is done by itself. */
export interface Attendance {
  /** Stops its Postgres; whoever logs in starts it again. False when somebody uses it after all. */
  sleep(name: string): Promise<boolean>;
  /** Starts one again that is to run and does not. False for one that runs, or is not to. */
  revive(name: string): Promise<boolean>;
  /**
   * Ends one that lets nobody in, and starts it again. False when it is no more the process that
   * was seen.
   */
  startAnew(name: string, seen: Running): Promise<boolean>;
}

/** What it works with beside the parts. */
interface AttendMeans {
  readonly inLane: Lanes;
  readonly start: (name: string) => Promise<string>;
  readonly holdUnused: HoldUnused;
}

/** Starts one for a client; the pooler only tells that nobody answered, the log says why. */
export function createWake(
  { roster }: Pick<Parts, "roster">,
  start: (name: string) => Promise<string>,
) {
  return async (name: string): Promise<string> => {
    try {
      if (roster.get(name).record.wanted === "stopped") throw new Error(`${name} is stopped.`);
      const socket = await start(name);
      roster.want(name, "running");
      return socket;
    } catch (error) {
      log("error", `An instance did not wake: ${messageOf(error)}`);
      throw error;
    }
  };
}

/**
 * Takes over what runs, and listens for clients of what does not: also of what is to run, so that
 * after a start of the machine whoever comes first is served first.
 */
export async function takeOver(parts: Parts): Promise<void> {
  const { roster, lines, bells, onChange } = parts;
  for (const { record, server } of roster.all()) {
    const { name, wanted } = record;
    const line = lines.of(name);
    // A former host program worked with it. A preview, which stays as it is, has another line.
    const isVisited = wanted === "stopped" && line === record.database;
    if (server !== undefined && isVisited) {
      await stopServer(server);
      roster.note(name, undefined);
    }
    if (server !== undefined && !isVisited) {
      // Somebody's wake, or a visit, was cut short: it is awake.
      if (wanted === "asleep") roster.want(name, "running");
      await lead(parts, name);
    } else {
      if (wanted !== "stopped") leadTo(parts, name, await bells.hang(name));
      if (line !== undefined) onChange(line, wanted === "asleep" ? "suspended" : "woken");
    }
  }
}

/** Puts one to sleep, unless somebody uses it. */
async function sleep(parts: Parts, holdUnused: HoldUnused, name: string): Promise<boolean> {
  const { roster, lines, bells } = parts;
  const { server } = roster.get(name);
  const line = lines.of(name);
  const letGo = line === undefined ? nobodyHeld : await holdUnused(line);
  if (letGo === undefined) return false;
  try {
    roster.want(name, "asleep");
    leadTo(parts, name, await bells.hang(name));
    if (server !== undefined) await stopServer(server);
    roster.note(name, undefined);
    if (line !== undefined) parts.onChange(line, "suspended");
  } finally {
    await letGo();
  }
  return true;
}

/** Makes it. */
export function createAttendance(parts: Parts, means: AttendMeans): Attendance {
  const { roster } = parts;
  const { inLane, start, holdUnused } = means;
  const ifThere = (name: string, work: () => Promise<boolean>) =>
    inLane(name, async () => (roster.has(name) ? work() : false));
  return {
    sleep: (name) => ifThere(name, () => sleep(parts, holdUnused, name)),
    revive: (name) =>
      ifThere(name, async () => {
        const { record, server } = roster.get(name);
        if (record.wanted !== "running" || server !== undefined) return false;
        await start(name);
        return true;
      }),
    startAnew: (name, seen) =>
      ifThere(name, async () => {
        const { server } = roster.get(name);
        const isSame = server?.pid === seen.pid && server.startedTicks === seen.startedTicks;
        if (server === undefined || !isSame) return false;
        await endNow(server);
        roster.note(name, undefined);
        await start(name);
        return true;
      }),
  };
}
