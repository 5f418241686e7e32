// A database's Postgres is stopped by its owner, started again and restarted.
import { HostProblem } from "../base/problem.ts";
import type { DatabaseMeans } from "./means.ts";
import { isRefused } from "./record.ts";
import { settle } from "./settle.ts";

/** Stops it and refuses its clients; what was written is kept before. */
export async function stopDatabase(means: DatabaseMeans, database: string): Promise<void> {
  const { files } = means;
  files.databases.put({ ...files.databases.get(database), state: "stopped" });
  await end(means, database);
}

/** Stops it for a reason its owner is to know; it is as if it had failed. */
export async function haltDatabase(
  means: DatabaseMeans,
  database: string,
  reason: string,
): Promise<void> {
  const { files } = means;
  files.databases.put({ ...files.databases.get(database), halted: reason });
  await end(means, database);
}

async function end({ pair, keeper }: DatabaseMeans, database: string): Promise<void> {
  await pair.apply();
  await pair.endClients(database);
  await keeper.stop(keeper.live(database).record.name);
  // Who logged in at that moment would wait for a Postgres that is not there.
  await pair.endClients(database);
}

/** Starts it, or wakes it, and lets clients in. */
export async function startDatabase(means: DatabaseMeans, database: string): Promise<void> {
  const { keeper, files, pair } = means;
  await keeper.start(keeper.live(database).record.name);
  await settle(means, database);
  const record = files.databases.get(database);
  if (!isRefused(record)) return;
  const { halted, ...free } = record;
  files.databases.put({ ...free, state: "running" });
  await pair.apply();
}

/** Restarts it; one that sleeps is started. */
export async function restartDatabase(means: DatabaseMeans, database: string): Promise<void> {
  const { keeper, files } = means;
  if (isRefused(files.databases.get(database))) {
    throw new HostProblem(409, "stopped", `${database} is stopped: start it.`);
  }
  const { record, server } = keeper.live(database);
  if (server === undefined) await keeper.start(record.name);
  else await keeper.restart(record.name);
  await settle(means, database);
}
