// Commands about databases, as the control plane sends them.
import type { HostDatabase } from "../../src/contract/instance/database.ts";
import type { CommandHandlers } from "../server/command.ts";
import { type Databases, requireWhole } from "./databases.ts";
import type { DatabaseMeans } from "./means.ts";
import { type ProbeWays, probe } from "./probe.ts";
import type { DatabaseRecord } from "./record.ts";
import type { Storage } from "./storage.ts";

/** What they work with. */
export interface HandlerParts {
  readonly means: DatabaseMeans;
  readonly databases: Databases;
  readonly storage: Storage;
  readonly ways: ProbeWays;
  /** Why an instance that is to run does not; undefined for one that runs or is being started. */
  readonly failureOf: (instance: string) => string | undefined;
}

const neverInForce = "0".repeat(64);

/** Whether it runs, as its owner sees it, and what is odd about it. */
function stateOf(
  { means: { keeper }, failureOf }: HandlerParts,
  { database, state, halted, stage }: DatabaseRecord,
) {
  const failed = (detail: string) => ({ state: "failed" as const, detail });
  if (stage === "making") return failed("It is only half made: make or remove it.");
  if (stage === "removing") return failed("It is only half removed: remove it.");
  if (halted !== undefined) return failed(halted);
  if (state === "stopped") return { state, detail: null };
  const { record, server } = keeper.live(database);
  if (server !== undefined) return { state: "running" as const, detail: null };
  if (record.wanted === "asleep") return { state: "asleep" as const, detail: null };
  const failure = failureOf(record.name);
  return failure === undefined ? { state: "running" as const, detail: null } : failed(failure);
}

function factsOf(parts: HandlerParts, record: DatabaseRecord): HostDatabase {
  const { means, storage } = parts;
  const { database, inForce = neverInForce } = record;
  const { keeper } = means;
  const instance = keeper.find(database)?.record;
  const measured = instance === undefined ? undefined : storage.of(instance.name);
  const { state, detail } =
    instance === undefined && record.stage === undefined
      ? { state: "failed" as const, detail: "It has no instance; the host's log says why." }
      : stateOf(parts, record);
  return {
    ...{ database, state, detail, spec_sha256: inForce },
    system_identifier: instance?.systemIdentifier ?? "0",
    data_bytes: measured?.dataBytes ?? null,
    wal_bytes: measured?.walBytes ?? null,
    measured_at: measured?.measuredAt ?? null,
  };
}

/** Instances that were put aside: stopped, of a database that is served by another one. */
function asideOf({ means: { keeper, files }, storage }: HandlerParts) {
  const shown = new Set(files.previews.all().map(({ instance }) => instance));
  return keeper.roster
    .all()
    .filter(({ record, server }) => {
      const live = keeper.find(record.database)?.record.name;
      const isOther = live !== undefined && live !== record.name && !shown.has(record.name);
      return isOther && server === undefined && record.wanted === "stopped";
    })
    .map(({ record: { database, name } }) => {
      const measured = storage.of(name);
      const bytes = measured === undefined ? null : measured.dataBytes + measured.walBytes;
      return { database, instance: name, bytes };
    });
}

type Names = Exclude<
  Extract<keyof CommandHandlers, `database.${string}` | "inventory">,
  "database.logs" | "database.metrics"
>;

/** Carries them out. */
export function databaseHandlers(parts: HandlerParts): Pick<CommandHandlers, Names> {
  const { means, databases, storage, ways } = parts;
  const done = async (work: Promise<void>) => {
    await work;
    return {};
  };
  return {
    "database.create": ({ database, spec }) => done(databases.create(database, spec)),
    "database.configure": ({ database, spec }) => done(databases.configure(database, spec)),
    "database.remove": ({ database }) => done(databases.remove(database)),
    "database.stop": ({ database }) => done(databases.stop(database)),
    "database.start": ({ database }) => done(databases.start(database)),
    "database.restart": ({ database }) => done(databases.restart(database)),
    "database.probe": (input) => done(probe(ways, input)),
    "database.branch": ({ source, database, spec }) =>
      done(databases.branch(source, database, spec)),
    "database.compact": ({ database }) => done(databases.compact(database)),
    async "database.measure"({ database }) {
      requireWhole(means, database);
      const { dataBytes, walBytes } = await storage.measure(database);
      return { data_bytes: dataBytes, wal_bytes: walBytes };
    },
    async inventory() {
      return {
        databases: means.files.databases.all().map((record) => factsOf(parts, record)),
        aside: asideOf(parts),
      };
    },
  };
}
