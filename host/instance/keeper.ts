// Keeps the instances of a host running, asleep or stopped, as is wanted of each. What is asked of
// one is done in turn; clients that come meanwhile wait.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { endNow } from "../base/running.ts";
import { createLanes, type Lanes } from "../lane.ts";
import {
  type Attendance,
  createAttendance,
  createWake,
  type HoldUnused,
  takeOver,
} from "./attend.ts";
import { createChange } from "./change.ts";
import { discard } from "./discard.ts";
import { createDoorbells } from "./doorbell.ts";
import { makePassable } from "./files.ts";
import { boxOf, type Fleet, fleetPlaces } from "./fleet.ts";
import { openLines } from "./line.ts";
import { removeLink } from "./link.ts";
import { cutLog } from "./log.ts";
import { makeInstance, type NewInstance } from "./make.ts";
import { shortName } from "./place.ts";
import { writeRecord } from "./record.ts";
import { type InstanceState, openRoster, type Roster } from "./roster.ts";
import {
  createStart,
  type Hold,
  halt,
  type LineChange,
  lead,
  type Parts,
  replace,
} from "./serve.ts";
import type { InstanceSize } from "./size.ts";
import { ensureTemplate } from "./template.ts";
import { createVisits } from "./visit.ts";

/** What a keeper asks beside `hold`, and tells. */
export interface KeeperOptions {
  readonly holdUnused?: HoldUnused;
  readonly onChange?: LineChange;
}

/** What can be done with the instances of a host. */
export interface Keeper extends Attendance {
  readonly roster: Pick<
    Roster,
    "all" | "conditions" | "lastServer" | "has" | "get" | "box" | "keepSlot"
  >;
  /** The directory a pooler's line of this name has to lead to. */
  linkOf(line: string): string;
  /** The instance a line leads to. @throws Error when it leads nowhere */
  live(line: string): InstanceState;
  /** The same; undefined when it leads nowhere. */
  find(line: string): InstanceState | undefined;
  /** Its name; undefined when the line leads nowhere. */
  nameAt(line: string): string | undefined;
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
  /**
   * Starts the instance a line leads to by then, or sees that it runs.
   * @returns its name; undefined when it is stopped, and stays so
   */
  startServing(line: string): Promise<string | undefined>;
  /** Stops its Postgres; nobody but `start` starts it again. */
  stop(name: string): Promise<void>;
  /**
   * Restarts its Postgres; clients wait meanwhile. `between` is called when nobody is served.
   * One that does not run is not started.
   */
  restart(name: string, between?: () => Promise<void>): Promise<void>;
  /**
   * Gives it another size: at once where Postgres takes that, by a restart else. One that does not
   * run has it from its next start. `between` is called once, and when it restarts, in between.
   */
  resize(name: string, size: InstanceSize, between: () => Promise<void>): Promise<void>;
  /**
   * Does something with its Postgres. One that does not run is started for that and stopped again,
   * and no client is led to it.
   */
  visit<Result>(name: string, work: () => Promise<Result>): Promise<Result>;
  /** Has its Postgres run, as for a visit; who wants it meanwhile need not wait until `settle`. */
  rouse(name: string): Promise<void>;
  /** Stops one that was roused, unless it is wanted to run by now. */
  settle(name: string): Promise<void>;
  /** Ends it and removes its files. */
  remove(name: string): Promise<void>;
  /** Keeps the logs of all within bounds. */
  cutLogs(): void;
  /** Listens for nobody any more. Instances go on. */
  close(): void;
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

/** Opens the instances of a fleet. `hold` is asked before a Postgres is stopped. */
export async function openKeeper(
  fleet: Fleet,
  hold: Hold,
  { holdUnused = hold, onChange = () => undefined }: KeeperOptions = {},
): Promise<Keeper> {
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
  const lines = openLines(places.lines);
  const parts: Parts = { roster, lines, bells, linkOf, onChange };
  const start = createStart(parts);
  const wake = createWake(parts, start);
  await takeOver(parts);
  return {
    ...verbs(parts, { inLane, start, hold, fleet, template }),
    ...lineVerbs(parts, inLane),
    ...createAttendance(parts, { inLane, start, holdUnused }),
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

type LineVerb = "live" | "find" | "nameAt" | "lead";

function lineVerbs(parts: Parts, inLane: Lanes): Pick<Keeper, LineVerb> {
  const { roster, lines } = parts;
  return {
    find(line) {
      const name = lines.at(line);
      return name !== undefined && roster.has(name) ? roster.get(name) : undefined;
    },
    nameAt: lines.at,
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
): Omit<Keeper, "roster" | "linkOf" | "withSlot" | LineVerb | keyof Attendance> {
  const { roster, bells, lines } = parts;
  const { inLane, start, hold, fleet } = means;
  const change = createChange(parts, { fleet, hold, start });
  const visits = createVisits(parts);
  return {
    ...makingVerbs(parts, means),
    start: (name) =>
      inLane(name, async () => {
        roster.want(name, "running");
        return start(name);
      }),
    startServing: (line) =>
      inLane(lines.at(line) ?? line, async () => {
        // What served it when this was asked for may have been put aside since.
        const name = lines.at(line);
        if (name === undefined || roster.get(name).record.wanted === "stopped") return undefined;
        roster.want(name, "running");
        await start(name);
        return name;
      }),
    stop: (name) =>
      inLane(name, async () => {
        roster.want(name, "stopped");
        // There is no socket in it: who connects is refused at once.
        await halt(parts, hold, name, roster.box(name).place.settings);
        await bells.take(name);
        // A sleep ends, however it does.
        const line = lines.of(name);
        if (line !== undefined) parts.onChange(line, "woken");
      }),
    restart: (name, between) => inLane(name, () => change.restart(name, between)),
    resize: (name, size, between) => inLane(name, () => change.resize(name, size, between)),
    visit: (name, work) => inLane(name, () => visits.visit(name, work)),
    rouse: (name) => inLane(name, () => visits.rouse(name)),
    settle: (name) => inLane(name, () => visits.settle(name)),
    remove: (name) => inLane(name, () => destroy(fleet, parts, name)),
    cutLogs() {
      for (const { record } of roster.all()) cutLog(roster.box(record.name).place.log);
    },
    close: bells.close,
  };
}
