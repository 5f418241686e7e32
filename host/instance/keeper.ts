// Keeps the instances of a host running, asleep or stopped, as is wanted of each. What is asked of
// one is done in turn; clients that come meanwhile wait.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { endNow } from "../base/running.ts";
import { createLanes, type Lanes } from "../lane.ts";
import { log, messageOf } from "../log.ts";
import { createTurns } from "../turn.ts";
import { createDoorbells, type Doorbells } from "./doorbell.ts";
import { makePassable, removeTree, writeSettings } from "./files.ts";
import { type Fleet, fleetPlaces } from "./fleet.ts";
import { linkTarget, pointLink, removeLink } from "./link.ts";
import { makeInstance, type NewInstance } from "./make.ts";
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
  readonly roster: Pick<Roster, "all" | "has" | "get" | "box">;
  /** The directory a pooler's line of this name has to lead to. */
  linkOf(line: string): string;
  /** Makes one, started. @throws Error when that went wrong; nothing of it is left then */
  make(wanted: Omit<NewInstance, "slot">): Promise<InstanceState>;
  /** Starts one, or sees that it runs. @returns the directory of its socket */
  start(name: string): Promise<string>;
  /** Stops its Postgres; whoever logs in starts it again. */
  sleep(name: string): Promise<void>;
  /** Stops its Postgres; nobody but `start` starts it again. */
  stop(name: string): Promise<void>;
  /** Ends it and removes its files. */
  remove(name: string): Promise<void>;
  /** Starts again what is to run and does not. @returns the names of those that had ended */
  revive(): Promise<readonly string[]>;
  /** Listens for nobody any more. Instances go on. */
  close(): void;
}

/** What the verbs work with. */
interface Parts {
  readonly roster: Roster;
  readonly bells: Doorbells;
  readonly linkOf: (line: string) => string;
}

/** Leads the clients of an instance to a directory, when any are led to it at all. */
function leadTo({ roster, linkOf }: Parts, name: string, directory: string): void {
  const { line } = roster.get(name).record;
  if (line !== null && linkTarget(linkOf(line)) !== directory) pointLink(linkOf(line), directory);
}

/** Leads clients to its Postgres. */
async function lead(parts: Parts, name: string): Promise<string> {
  const { socket } = parts.roster.box(name).place;
  leadTo(parts, name, socket);
  await parts.bells.take(name);
  return socket;
}

/** Leads clients elsewhere, and then stops what they were served by. */
async function halt(parts: Parts, hold: Hold, name: string, next: string): Promise<void> {
  const { roster } = parts;
  const { record, server } = roster.get(name);
  const letGo = record.line === null ? nobodyHeld : await hold(record.line);
  try {
    leadTo(parts, name, next);
    if (server !== undefined) await stopServer(server);
    roster.note(name, undefined);
  } finally {
    await letGo();
  }
}

/** Ends one and removes it; a crash half way leaves what is removed at the next start. */
async function destroy({ roster, bells, linkOf }: Parts, name: string): Promise<void> {
  const { record, server } = roster.get(name);
  const { place } = roster.box(name);
  // Without its record it is one that was never finished.
  rmSync(place.record, { force: true });
  if (server !== undefined) await endNow(server);
  if (record.line !== null) removeLink(linkOf(record.line));
  await bells.take(name);
  await removeTree(place.directory);
  roster.forget(name);
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
  for (const { record, server } of parts.roster.all()) {
    const { name, wanted } = record;
    if (server !== undefined) await lead(parts, name);
    else if (wanted === "asleep") leadTo(parts, name, await parts.bells.hang(name));
  }
}

/** Opens the instances of a fleet. `hold` is asked before a Postgres is stopped. */
export async function openKeeper(fleet: Fleet, hold: Hold): Promise<Keeper> {
  const { instances, links, bells: bellDirectory } = fleetPlaces(fleet);
  makePassable(fleet.directory, instances, links, bellDirectory);
  const inLane = createLanes();
  const roster = await openRoster(fleet);
  const template = await ensureTemplate(fleet);
  const bells = createDoorbells(bellDirectory, (name) => inLane(name, () => wake(name)));
  const parts: Parts = { roster, bells, linkOf: (line) => join(links, line) };
  const start = createStart(parts);
  const wake = createWake(parts, start);
  await takeOver(parts);
  return {
    ...verbs(parts, { inLane, start, hold, fleet, template }),
    roster,
    linkOf: parts.linkOf,
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

function verbs(parts: Parts, means: Means): Omit<Keeper, "roster" | "linkOf"> {
  const { roster, bells } = parts;
  const { inLane, start, hold, fleet, template } = means;

  async function make(wanted: Omit<NewInstance, "slot">): Promise<InstanceState> {
    const { name } = wanted;
    if (roster.has(name)) throw new Error(`There is an instance ${name} already.`);
    const made = await roster.withSlot((slot) =>
      makeInstance(fleet, template, { ...wanted, slot }),
    );
    roster.add(made);
    await lead(parts, name);
    return made;
  }

  return {
    make: (wanted) => inLane(wanted.name, () => make(wanted)),
    start: (name) =>
      inLane(name, async () => {
        roster.want(name, "running");
        return start(name);
      }),
    sleep: (name) =>
      inLane(name, async () => {
        roster.want(name, "asleep");
        await halt(parts, hold, name, await bells.hang(name));
      }),
    stop: (name) =>
      inLane(name, async () => {
        roster.want(name, "stopped");
        // There is no socket in it: who connects is refused at once.
        await halt(parts, hold, name, roster.box(name).place.settings);
        await bells.take(name);
      }),
    remove: (name) => inLane(name, () => destroy(parts, name)),
    async revive() {
      const ended = roster
        .all()
        .filter(({ record, server }) => record.wanted === "running" && server === undefined)
        .map(({ record }) => record.name);
      await Promise.all(ended.map((name) => inLane(name, () => start(name))));
      return ended;
    },
    close: bells.close,
  };
}
