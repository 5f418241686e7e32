import { conditionOf, endNow, isRunning, type Running } from "../base/running.ts";
import { log, messageOf } from "../log.ts";
import type { Box } from "./box.ts";
import { discard } from "./discard.ts";
import { boxOf, type Fleet, fleetMark, fleetPlaces } from "./fleet.ts";
import { type InstanceRecord, readRecords, writeRecord } from "./record.ts";
import { findServers } from "./server.ts";
import type { InstanceSize } from "./size.ts";

/** An instance as it is now. */
export interface InstanceState {
  readonly record: InstanceRecord;
  /** Its Postgres; undefined while none runs. */
  readonly server: Running | undefined;
}

/** What becomes of the Postgres of an instance, with one look at its process. */
export interface InstanceCondition {
  readonly record: InstanceRecord;
  /** The process that was last known for it. */
  readonly server: Running | undefined;
  readonly condition: "runs" | "halted" | "gone";
}

function stateNow(record: InstanceRecord, server: Running | undefined): InstanceState {
  return { record, server: server !== undefined && isRunning(server) ? server : undefined };
}

function conditionNow(record: InstanceRecord, server: Running | undefined): InstanceCondition {
  return { record, server, condition: server === undefined ? "gone" : conditionOf(server) };
}

/** What is known of the instances of a host; it changes nothing but records. */
export interface Roster {
  all(): readonly InstanceState[];
  /** The last process that was noted for one, whether it runs still or not. */
  lastServer(name: string): Running | undefined;
  /** What becomes of each. */
  conditions(): readonly InstanceCondition[];
  has(name: string): boolean;
  /** @throws Error when there is none of this name */
  get(name: string): InstanceState;
  box(name: string): Box;
  /** Notes a process for it, or that there is none. */
  note(name: string, server: Running | undefined): void;
  /** Notes what is wanted of it, on disk before it returns. */
  want(name: string, wanted: InstanceRecord["wanted"]): void;
  /** Notes its size, on disk before it returns. */
  resize(name: string, size: InstanceSize): void;
  /** Adds a new one, whose record is on disk. */
  add(state: InstanceState): void;
  forget(name: string): void;
  /** Has work done with the lowest number that no instance has. */
  withSlot<Result>(work: (slot: number) => Promise<Result>): Promise<Result>;
  /** Has work done during which a number is given to nobody, also when its instance is removed. */
  keepSlot<Result>(slot: number, work: () => Promise<Result>): Promise<Result>;
}

/** Gives the lowest number that nobody has, and none that is about to be somebody's. */
function createSlots(taken: () => readonly number[]) {
  const kept: number[] = [];

  function keep<Result>(slot: number, work: () => Promise<Result>): Promise<Result> {
    kept.push(slot);
    return work().finally(() => kept.splice(kept.indexOf(slot), 1));
  }

  return {
    keep,
    async with<Result>(work: (slot: number) => Promise<Result>): Promise<Result> {
      const all = new Set([...taken(), ...kept]);
      let slot = 1;
      while (all.has(slot)) slot++;
      return keep(slot, () => work(slot));
    },
  };
}

/** Removes what was never finished; what cannot be removed keeps nobody else from being served. */
async function discardAll(fleet: Fleet, names: readonly string[]): Promise<void> {
  for (const name of names) {
    try {
      await discard(fleet, name);
    } catch (error) {
      log("error", `What is left of ${name} is not removed: ${messageOf(error)}`);
    }
  }
}

/** Reads it from disk and the list of processes; removes what was never finished. */
export async function openRoster(fleet: Fleet): Promise<Roster> {
  const places = fleetPlaces(fleet);
  const { records: kept, unfinished } = readRecords(places.instances, places.records);
  const records = new Map(kept.map((record) => [record.name, record]));
  const servers = findServers(fleetMark(fleet));
  for (const [name, server] of servers) if (!records.has(name)) await endNow(server);
  await discardAll(fleet, unfinished);
  const slots = createSlots(() => [...records.values()].map(({ slot }) => slot));

  function recordOf(name: string): InstanceRecord {
    const record = records.get(name);
    if (record === undefined) throw new Error(`There is no instance ${name} on this host.`);
    return record;
  }

  const stateOf = (record: InstanceRecord) => stateNow(record, servers.get(record.name));

  function box(name: string): Box {
    const { slot, size } = recordOf(name);
    return boxOf(fleet, name, slot, size);
  }

  function note(name: string, server: Running | undefined): void {
    if (server === undefined) servers.delete(name);
    else servers.set(name, server);
  }

  function change(name: string, changes: Partial<InstanceRecord>): void {
    const record = { ...recordOf(name), ...changes };
    writeRecord(box(name).place, record);
    records.set(name, record);
  }

  return {
    all: () => [...records.values()].map(stateOf),
    lastServer: (name) => servers.get(name),
    conditions: () =>
      [...records.values()].map((record) => conditionNow(record, servers.get(record.name))),
    has: (name) => records.has(name),
    get: (name) => stateOf(recordOf(name)),
    box,
    note,
    want(name, wanted) {
      if (recordOf(name).wanted !== wanted) change(name, { wanted });
    },
    resize: (name, size) => change(name, { size }),
    add({ record, server }) {
      records.set(record.name, record);
      note(record.name, server);
    },
    forget(name) {
      records.delete(name);
      servers.delete(name);
    },
    withSlot: slots.with,
    keepSlot: slots.keep,
  };
}
