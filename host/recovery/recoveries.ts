// The recoveries of a host, what becomes of each, and what a restart of the host program left.

import { join } from "node:path";
import type { PreviewRequest, RecoveryRequest } from "../../src/contract/instance/recovery.ts";
import { publish } from "../database/make.ts";
import type { DatabaseMeans } from "../database/means.ts";
import { removePreview } from "../database/remove.ts";
import { settle } from "../database/settle.ts";
import { log, messageOf } from "../log.ts";
import { HostProblem } from "../problem.ts";
import { adopt, type NewDatabase } from "./adopt.ts";
import { bringBack, type ExchangeMeans, exchange } from "./exchange.ts";
import { type Outcome, openOutcomes } from "./outcome.ts";
import { openPreview, publishPreview, refuseTaken } from "./preview.ts";
import { createRegistry, type Entry, instanceOf, type Purpose, type Registry } from "./registry.ts";
import { createWorker, type WorkMeans } from "./work.ts";

/** What recoveries are made of. */
export type RecoveryMeans = WorkMeans & ExchangeMeans;

/** Nobody has asked for it in so long: nobody will. */
const abandonedMilliseconds = 2 * 3_600_000;
/** So long it is remembered what became of one. */
const rememberedMilliseconds = 30 * 86_400_000;

/** The recoveries of a host. */
export interface Recoveries {
  readonly registry: Registry;
  start(id: string, request: RecoveryRequest, purpose: Purpose): void;
  /** @returns the instance that was put aside */
  exchange(id: string): Promise<string>;
  adopt(id: string, wanted: NewDatabase): Promise<void>;
  open(id: string, preview: PreviewRequest): Promise<void>;
  end(id: string): Promise<void>;
  /** @returns the instance that was put aside */
  bringBack(database: string, instance: string): Promise<string>;
  /** Ends previews whose time is over, and recoveries nobody wants; to be called now and then. */
  look(): Promise<void>;
}

type Outcomes = ReturnType<typeof openOutcomes>;

/** What the verbs share. */
interface House {
  readonly means: RecoveryMeans;
  readonly registry: Registry;
  readonly outcomes: Outcomes;
}

const isThere = ({ keeper }: DatabaseMeans, { instance }: Outcome) => keeper.roster.has(instance);

/** An outcome that was begun; one whose instance is lost is forgotten. */
function begun({ means, outcomes }: House, id: string): Outcome | undefined {
  const outcome = outcomes.get(id);
  if (outcome === undefined || isThere(means, outcome)) return outcome;
  outcomes.remove(id);
  return undefined;
}

/** Refuses what a recovery has become already, when that is something else. */
function refuseOther(kind: Outcome["became"]["kind"]): never {
  throw new HostProblem(409, "not_ready", `The recovery was ${kind} already.`);
}

function createExchange(house: House) {
  const { means, registry, outcomes } = house;
  const { keeper, files, lane } = means;

  return async (id: string): Promise<string> => {
    const known = begun(house, id);
    const database = known?.database ?? registry.ready(id, "restore").entry.database;
    return lane(database, async () => {
      files.databases.get(database);
      const before = begun(house, id);
      if (before !== undefined) {
        const { became, instance } = before;
        if (became.kind !== "exchanged") return refuseOther(became.kind);
        // It may have been exchanged again since, or undone.
        const isServed = keeper.live(database).record.name !== became.former;
        if (!isServed) await goOn(means, database, instance);
        return became.former;
      }
      const { entry, state } = registry.ready(id, "restore");
      const former = keeper.live(database).record.name;
      outcomes.put({ ...namesOf(entry), became: { kind: "exchanged", former } });
      await keeper.adopt(state);
      registry.hand(id);
      await exchange(means, database, entry.name);
      return former;
    });
  };
}

/** Goes on with an exchange that a host program did not finish. */
async function goOn(means: RecoveryMeans, database: string, instance: string): Promise<void> {
  await means.keeper.start(instance);
  await exchange(means, database, instance);
}

const namesOf = ({ id, database, name }: Entry) => ({
  ...{ recovery_id: id, database, instance: name },
});

/** Goes on where a host program was ended; one that is whole is given the spec. */
async function goOnAdopting(
  means: RecoveryMeans,
  wanted: NewDatabase,
  instance: string,
): Promise<void> {
  const { databases } = means.files;
  const { database, spec } = wanted;
  const known = databases.has(database) ? databases.get(database) : undefined;
  if (known === undefined || known.stage !== undefined) return publish(means, wanted, instance);
  databases.put({ ...known, spec });
  await settle(means, database);
}

function createAdopt(house: House) {
  const { means, registry, outcomes } = house;
  const { files, lane, safe } = means;

  return (id: string, wanted: NewDatabase): Promise<void> =>
    lane(wanted.database, async () => {
      const before = begun(house, id);
      if (before !== undefined) {
        const { became, instance } = before;
        if (became.kind !== "adopted" || became.as !== wanted.database) refuseOther(became.kind);
        return goOnAdopting(means, wanted, instance);
      }
      const { entry, state } = registry.ready(id, "restore");
      if (files.databases.has(wanted.database)) {
        const words = `There is a database ${wanted.database} already.`;
        throw new HostProblem(409, "database_exists", words);
      }
      safe.putAside(wanted.database);
      const became = { kind: "adopted" as const, as: wanted.database };
      await adopt(means, state, wanted, () => outcomes.put({ ...namesOf(entry), became }));
      registry.hand(id);
    });
}

function createOpen(house: House) {
  const { means, registry, outcomes } = house;
  const { lane } = means;

  return (id: string, preview: PreviewRequest): Promise<void> =>
    lane(preview.name, async () => {
      const before = begun(house, id);
      const instance = before?.instance ?? registry.get(id).name;
      refuseTaken(means, preview.name, instance);
      if (before !== undefined) {
        const { became } = before;
        if (became.kind !== "opened" || became.line !== preview.name) refuseOther(became.kind);
        return publishPreview(means, instance, preview);
      }
      const { entry, state } = registry.ready(id, "preview");
      const became = { kind: "opened" as const, line: preview.name };
      await openPreview(means, state, preview, () => outcomes.put({ ...namesOf(entry), became }));
      registry.hand(id);
    });
}

/** Removes what an outcome's instance is, unless it serves or was put aside. */
async function undo({ means, outcomes }: House, outcome: Outcome): Promise<void> {
  const { keeper, files, lane } = means;
  const { recovery_id: id, became, instance, database } = outcome;
  if (became.kind === "opened") {
    const { line } = became;
    await lane(line, async () => {
      if (files.previews.has(line)) await removePreview(means, line);
      else if (keeper.roster.has(instance)) await keeper.remove(instance);
    });
    return outcomes.remove(id);
  }
  const serves = became.kind === "adopted" ? became.as : database;
  await lane(serves, async () => {
    if (!keeper.roster.has(instance)) return outcomes.remove(id);
    // An exchange that was not come to leaves an instance nobody was ever led to.
    const isServed = files.databases.has(serves);
    const isDone =
      became.kind === "exchanged"
        ? isServed && keeper.live(database).record.name !== became.former
        : isServed;
    if (isDone) return;
    await keeper.remove(instance);
    outcomes.remove(id);
  });
}

function createEnd(house: House) {
  return async (id: string): Promise<void> => {
    await house.registry.end(id);
    const outcome = begun(house, id);
    if (outcome !== undefined) await undo(house, outcome);
  };
}

function createLook(house: House, end: (id: string) => Promise<void>) {
  const { means, registry, outcomes } = house;
  return async () => {
    const now = Date.now();
    for (const { expiresAt, line, instance } of means.files.previews.all()) {
      if (Date.parse(expiresAt) > now && means.keeper.roster.has(instance)) continue;
      await means.lane(line, async () => {
        if (means.files.previews.has(line)) await removePreview(means, line);
      });
    }
    for (const { id, state, askedAt } of registry.all()) {
      const isOver = state === "ready" || state === "failed";
      if (isOver && now - askedAt > abandonedMilliseconds) await end(id);
    }
    for (const { recovery_id: id, at } of outcomes.all()) {
      if (now - Date.parse(at) > rememberedMilliseconds) outcomes.remove(id);
    }
  };
}

/** Removes what was being opened when a host program ended, and nobody can be led to. */
async function tidy(house: House): Promise<void> {
  const { means, outcomes } = house;
  for (const outcome of outcomes.all()) {
    const { became } = outcome;
    if (became.kind !== "opened" || means.files.previews.has(became.line)) continue;
    await undo(house, outcome).catch((error) => {
      log("error", `${outcome.instance} is not removed: ${messageOf(error)}`);
    });
  }
}

/** Opens the recoveries of a host. */
export async function openRecoveries(means: RecoveryMeans): Promise<Recoveries> {
  const registry = createRegistry(means.fleet, createWorker(means));
  const outcomes = openOutcomes(join(means.fleet.directory, "recovery"));
  const house: House = { means, registry, outcomes };
  await tidy(house);
  const end = createEnd(house);
  return {
    registry,
    start(id, request, purpose) {
      // What was recovered under this id is somebody's by now.
      if (means.keeper.roster.has(instanceOf(request.database, id))) return;
      registry.start(id, request, purpose);
    },
    exchange: createExchange(house),
    adopt: createAdopt(house),
    open: createOpen(house),
    end,
    bringBack: (database, instance) =>
      means.lane(database, () => bringBack(means, database, instance)),
    look: createLook(house, end),
  };
}
