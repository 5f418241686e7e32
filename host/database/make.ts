// Makes databases: new ones, and writable copies of others. The record comes first, so that what a
// crash left half made is known, and the same command again goes on with it.
import type { DatabaseSpec } from "../../src/contract/spec.ts";
import { HostProblem } from "../base/problem.ts";
import { cloneInstance } from "../instance/clone.ts";
import type { Names } from "../instance/personalize.ts";
import { type DatabaseMeans, instanceName } from "./means.ts";
import type { DatabaseRecord } from "./record.ts";
import { removeWhole } from "./remove.ts";
import { settle } from "./settle.ts";
import { sizeOf } from "./spec.ts";

/** A database that is to be. */
export interface NewDatabase {
  readonly database: string;
  readonly spec: DatabaseSpec;
  /** The one it is a copy of. */
  readonly source?: string;
}

function namesOf(database: string, { logins: [owner] }: DatabaseSpec): Names {
  return { database, login: owner?.name ?? "", verifier: owner?.verifier ?? "" };
}

/** The instance that a make which was cut short had finished. */
function instanceOf({ keeper }: DatabaseMeans, database: string): string | undefined {
  return keeper.roster.all().find(({ record }) => record.database === database)?.record.name;
}

/** Makes the instance of a new database. */
async function makeInstanceOf(means: DatabaseMeans, wanted: NewDatabase): Promise<string> {
  const { fleet, keeper, safe } = means;
  const { database, spec, source } = wanted;
  safe.putAside(database);
  const name = keeper.roster.has(database) ? instanceName(database) : database;
  const names = namesOf(database, spec);
  if (source === undefined) {
    await keeper.make({ name, size: sizeOf(spec), ...names });
    return name;
  }
  const of = keeper.live(source).record;
  const made = await keeper.visit(of.name, () =>
    keeper.withSlot((slot) => cloneInstance(fleet, of, { name, slot, names })),
  );
  await keeper.adopt(made);
  return name;
}

/** Has an instance that was made be a database, and its clients be let in. */
export async function publish(
  means: DatabaseMeans,
  wanted: NewDatabase,
  name: string,
): Promise<void> {
  const { keeper, safe, files, pair, afterCreate } = means;
  const { database } = wanted;
  await keeper.start(name);
  await keeper.lead(database, name);
  safe.noteTimelineOf(database, name);
  safe.follow(database, name);
  const record = recordOf(means, wanted);
  files.databases.put(record);
  await settle(means, database);
  const { stage, ...whole } = files.databases.get(database);
  files.databases.put(whole);
  await pair.apply();
  afterCreate?.(database);
}

function recordOf({ files }: DatabaseMeans, { database, spec, source }: NewDatabase) {
  const createdAt = files.databases.has(database)
    ? files.databases.get(database).createdAt
    : new Date().toISOString();
  const from = source === undefined ? {} : { source };
  const record: DatabaseRecord = {
    ...{ database, spec, state: "running", createdAt, stage: "making" },
    ...from,
  };
  return record;
}

/** @throws HostProblem 409 when a name is that of a database which is not this copy */
export function refuseOther({ files }: DatabaseMeans, { database, source }: NewDatabase): void {
  if (!files.databases.has(database)) return;
  const known = files.databases.get(database);
  if (known.stage !== "removing" && known.source !== source) {
    throw new HostProblem(409, "database_exists", `There is a database ${database} already.`);
  }
}

/** Makes one, or goes on with it; one that is there is given the spec. */
export async function makeDatabase(means: DatabaseMeans, wanted: NewDatabase): Promise<void> {
  const { files } = means;
  const { database, spec } = wanted;
  const known = files.databases.has(database) ? files.databases.get(database) : undefined;
  if (known?.stage === "removing") await removeWhole(means, database);
  else if (known !== undefined && known.stage === undefined) {
    files.databases.put({ ...known, spec });
    return settle(means, database);
  }
  files.databases.put(recordOf(means, wanted));
  const name = instanceOf(means, database) ?? (await makeInstanceOf(means, wanted));
  await publish(means, wanted, name);
}
