// Keeps the instances of a host running, asleep or stopped, as is wanted of each. What is asked of
// one is done in turn; clients that come meanwhile wait.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { endNow } from "../base/running.ts";
import { createLanes, type Lanes } from "../lane.ts";
import { log, messageOf } from "../log.ts";
import { createTurns } from "../turn.ts";
import { discard } from "./discard.ts";
import { createDoorbells, type Doorbells } from "./doorbell.ts";
import { makePassable, writeSettings } from "./files.ts";
import { boxOf, type Fleet, fleetPlaces } from "./fleet.ts";
import { type Lines, openLines } from "./line.ts";
import { linkTarget, pointLink, removeLink } from "./link.ts";
import { cutLog } from "./log.ts";
import { makeInstance, type NewInstance } from "./make.ts";
import { shortName } from "./place.ts";
import { writeRecord } from "./record.ts";
import { type InstanceState, openRoster, type Roster } from "./roster.ts";
import { startServer, stopServer } from "./server.ts";
import { ensureTemplate } from "./template.ts";

/** Starts are work for the processors and the disk: more at once make each later. */
const startsAtOnce = 4;

/** Holds the clients of a line between statements. @returns how to let them go on */
export type Hold = (line: string) => Promise<() => Promise<void>>;
const nobodyHeld = async () => undefined;

/** What can be done with the instances of a host. */
export interface Keeper {
  readonly roster: Pick<Roster, "all" | "has" | "get" | "box" | "keepSlot">;
  /** The directory a pooler's line of this name has to lead to. */
  linkOf(line: string): string;
  /** The instance a line leads to. @throws Error when it leads nowhere */
  live(line: string): InstanceState;
  /** Has a line that led nowhere lead to an instance that runs. */
  lead(line: string, name: string): Promise<void>;
  /** Has work done with the number of a user that no database has. */
  withSlot: Roster["withSlot"];
  /** Makes one, started. @throws Error when that went wrong; nothing of it is left then */
  make(wanted: Omit<NewInstance, "slot">): Promise<InstanceState>;
  /** Takes over one that was made otherwise; no client is led to it. */
  adopt(state: InstanceState): Promise<void>;
  /**
   * Has a line lead to another instance, which runs, in place of the one it led to. That one is
   * stopped and kept. `between` is called when nobody is served by either.
   */
  replace(line: string, name: string, between?: () => void): Promise<void>;
  /** Starts one, or sees that it runs. @returns the directory of its socket */
  start(name: string): Promise<string>;
  /** Stops its Postgres; whoever logs in starts it again. */
  sleep(name: string): Promise<void>;
  /** Stops its Postgres; nobody but `start` starts it again. */
  stop(name: string): Promise<void>;
  /** Has its Postgres run for the host program's own work: no client is led to it. */
  rouse(name: string): Promise<void>;
  /** Stops one that was roused, unless it is wanted to run by now. */
  settle(name: string): Promise<void>;
  /** Ends it and removes its files. */
  remove(name: string): Promise<void>;
  /** Starts again what is to run and does not. @returns the names of those that run again */
  revive(): Promise<readonly string[]>;
  /** Keeps the logs of all within bounds. */
  cutLogs(): void;
  /** Listens for nobody any more. Instances go on. */
  close(): void;
}

/** What the verbs work with. */
interface Parts {
  readonly roster: Roster;
  readonly lines: Lines;
  readonly bells: Doorbells;
  readonly linkOf: (line: string) => string;
}

/** Leads the clients of an instance to a directory, when any are led to it at all. */
function leadTo({ lines, linkOf }: Parts, name: string, directory: string): void {
  const line = lines.of(name);
  if (line !== undefined && linkTarget(linkOf(line)) !== directory) {
    pointLink(linkOf(line), directory);
  }
}

/** Leads clients to its Postgres. */
async function lead(parts: Parts, name: string): Promise<string> {
  const { socket, door } = parts.roster.box(name).place;
  leadTo(parts, name, socket);
  await parts.bells.take(name);
  return door;
}

/** Leads clients elsewhere, and then stops what they were served by. */
async function halt(parts: Parts, hold: Hold, name: string, next: string): Promise<void> {
  const { roster, lines } = parts;
  const { server } = roster.get(name);
  const line = lines.of(name);
  const letGo = line === undefined ? nobodyHeld : await hold(line);
  try {
    leadTo(parts, name, next);
    if (server !== undefined) await stopServer(server);
    roster.note(name, undefined);
  } finally {
    await letGo();
  }
}

/** Ends one and removes it; a crash half way leaves what is removed at the next start. */
async function destroy(fleet: Fleet, parts: Parts, name: string): Promise<void> {
  const { roster, lines, bells, linkOf } = parts;
  const { server } = roster.get(name);
  const { place } = roster.box(name);
  const line = lines.of(name);
  if (line !== undefined) {
    lines.set(line, undefined);
    removeLink(linkOf(line));
  }
  // Without its record it is one that was never finished.
  rmSync(place.record, { force: true });
  if (server !== undefined) await endNow(server);
  await bells.take(name);
  await discard(fleet, name);
  roster.forget(name);
}

/** Which instance a line is to lead to. */
interface Replacement {
  readonly line: string;
  readonly name: string;
  readonly between: (() => void) | undefined;
}

/** Puts an instance in the place of the one a line leads to, which is stopped and kept. */
async function replace(
  parts: Parts,
  hold: Hold,
  { line, name, between }: Replacement,
): Promise<void> {
  const { roster, lines } = parts;
  const former = lines.at(line);
  if (former === name) return;
  const letGo = await hold(line);
  try {
    // What was acknowledged is in it before anybody is served by the other.
    const { server } = former === undefined ? { server: undefined } : roster.get(former);
    if (server !== undefined) await stopServer(server);
    between?.();
    lines.set(line, name);
    roster.want(name, "running");
    await lead(parts, name);
  } finally {
    await letGo();
  }
  if (former === undefined) return;
  roster.note(former, undefined);
  roster.want(former, "stopped");
  await parts.bells.take(former);
}

/** Makes starts, few at a time. */
function createStart(parts: Parts) {
  const { roster } = parts;
  const inTurn = createTurns(startsAtOnce);
  return async (name: string): Promise<string> => {
    const { record, server } = roster.get(name);
    if (server === undefined) {
      const box = roster.box(name);
      writeSettings(box, record.size);
      await inTurn(async () => roster.note(name, await startServer(box)));
    }
    return lead(parts, name);
  };
}

/** Starts one for a client; the pooler only tells that nobody answered, the log says why. */
function createWake({ roster }: Pick<Parts, "roster">, start: (name: string) => Promise<string>) {
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

/** Takes over what runs, and listens for clients of what sleeps. */
async function takeOver(parts: Parts): Promise<void> {
  const { roster, lines, bells } = parts;
  for (const { record, server } of roster.all()) {
    const { name, wanted } = record;
    // A preview's line has another name, and no more is wanted of it than to stay as it is.
    const isRoused = wanted !== "running" && lines.of(name) === record.database;
    if (server !== undefined && !isRoused) {
      await lead(parts, name);
      continue;
    }
    if (server !== undefined) {
      await stopServer(server);
      roster.note(name, undefined);
    }
    if (wanted === "asleep") leadTo(parts, name, await bells.hang(name));
  }
}

/** Opens the instances of a fleet. `hold` is asked before a Postgres is stopped. */
export async function openKeeper(fleet: Fleet, hold: Hold): Promise<Keeper> {
  const places = fleetPlaces(fleet);
  makePassable(fleet.directory, places.instances, places.links, places.bells);
  const lanes = createLanes();
  const roster = await openRoster(fleet);
  const template = await ensureTemplate(fleet);
  // All instances of a database share a lane, as one may take another's place.
  const inLane: Lanes = (name, work) =>
    lanes(roster.has(name) ? roster.get(name).record.database : name, work);
  const bells = createDoorbells(places.bells, (name) => inLane(name, () => wake(name)));
  const linkOf = (line: string) => join(places.links, shortName(line));
  const parts: Parts = { roster, lines: openLines(places.lines), bells, linkOf };
  const start = createStart(parts);
  const wake = createWake(parts, start);
  await takeOver(parts);
  return {
    ...verbs(parts, { inLane, start, hold, fleet, template }),
    ...lineVerbs(parts, inLane),
    roster,
    linkOf,
    withSlot: roster.withSlot,
  };
}

/** What the verbs need beside the parts. */
interface Means {
  readonly inLane: Lanes;
  readonly start: (name: string) => Promise<string>;
  readonly hold: Hold;
  readonly fleet: Fleet;
  readonly template: string;
}

/** Those that bring an instance into being, or into a place. */
function makingVerbs(parts: Parts, { inLane, hold, fleet, template }: Means) {
  const { roster, lines } = parts;

  async function make(wanted: Omit<NewInstance, "slot">): Promise<InstanceState> {
    const { name, database } = wanted;
    if (roster.has(name)) throw new Error(`There is an instance ${name} already.`);
    const made = await roster.withSlot((slot) =>
      makeInstance(fleet, template, { ...wanted, slot }),
    );
    roster.add(made);
    lines.set(database, name);
    await lead(parts, name);
    return made;
  }

  return {
    make: (wanted: Omit<NewInstance, "slot">) => inLane(wanted.database, () => make(wanted)),
    async adopt(state: InstanceState): Promise<void> {
      // On disk before anybody is led to it.
      writeRecord(
        boxOf(fleet, state.record.name, state.record.slot, state.record.size).place,
        state.record,
      );
      roster.add(state);
    },
    replace: (line: string, name: string, between?: () => void) =>
      inLane(name, async () => {
        if (roster.get(name).server === undefined) throw new Error(`${name} does not run.`);
        await replace(parts, hold, { line, name, between });
      }),
  };
}

function lineVerbs(parts: Parts, inLane: Lanes): Pick<Keeper, "live" | "lead"> {
  const { roster, lines } = parts;
  return {
    live(line) {
      const name = lines.at(line);
      if (name === undefined) throw new Error(`There is no database ${line} on this host.`);
      return roster.get(name);
    },
    lead: (line, name) =>
      inLane(name, async () => {
        lines.set(line, name);
        await lead(parts, name);
      }),
  };
}

function verbs(
  parts: Parts,
  means: Means,
): Omit<Keeper, "roster" | "linkOf" | "live" | "lead" | "withSlot"> {
  const { roster, bells } = parts;
  const { inLane, start, hold, fleet } = means;
  const toSleep = async (name: string) => halt(parts, hold, name, await bells.hang(name));
  const toStop = async (name: string) => {
    // There is no socket in it: who connects is refused at once.
    await halt(parts, hold, name, roster.box(name).place.settings);
    await bells.take(name);
  };
  return {
    ...makingVerbs(parts, means),
    rouse: (name) =>
      inLane(name, async () => {
        const { record, server } = roster.get(name);
        if (server !== undefined) return;
        const box = roster.box(name);
        writeSettings(box, record.size);
        roster.note(name, await startServer(box));
      }),
    settle: (name) =>
      inLane(name, async () => {
        if (!roster.has(name)) return;
        const { record, server } = roster.get(name);
        if (server === undefined || record.wanted === "running") return;
        await (record.wanted === "asleep" ? toSleep(name) : toStop(name));
      }),
    start: (name) =>
      inLane(name, async () => {
        roster.want(name, "running");
        return start(name);
      }),
    sleep: (name) =>
      inLane(name, async () => {
        roster.want(name, "asleep");
        await toSleep(name);
      }),
    stop: (name) =>
      inLane(name, async () => {
        roster.want(name, "stopped");
        await toStop(name);
      }),
    remove: (name) => inLane(name, () => destroy(fleet, parts, name)),
    async revive() {
      const ended = roster
        .all()
        .filter(({ record, server }) => record.wanted === "running" && server === undefined)
        .map(({ record }) => record.name);
      const started = await Promise.allSettled(
        ended.map((name) => inLane(name, () => start(name))),
      );
      return ended.filter((_, at) => started[at]?.status === "fulfilled");
    },
    cutLogs() {
      for (const { record } of roster.all()) cutLog(roster.box(record.name).place.log);
    },
    close: bells.close,
  };
}
