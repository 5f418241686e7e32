// A database's Postgres is stopped by its owner, started again and restarted.
import { HostProblem } from "../problem.ts";
import type { DatabaseMeans } from "./means.ts";
import { settle } from "./settle.ts";

/** Stops it and refuses its clients; what was written is kept before. */
export async function stopDatabase(means: DatabaseMeans, database: string): Promise<void> {
  const { keeper, files, pair } = means;
  const record = files.databases.get(database);
  files.databases.put({ ...record, state: "stopped" });
  await pair.apply();
  await pair.endClients(database);
  await keeper.stop(keeper.live(database).record.name);
  // Who logged in at that moment would wait for a Postgres that is not there.
  await pair.endClients(database);
}

/** Starts it, or wakes it, and lets clients in. */
export async function startDatabase(means: DatabaseMeans, database: string): Promise<void> {
  const { keeper, files, pair } = means;
  const record = files.databases.get(database);
  await keeper.start(keeper.live(database).record.name);
  await settle(means, database);
  if (record.state === "running") return;
  files.databases.put({ ...files.databases.get(database), state: "running" });
  await pair.apply();
}

/** Restarts it; one that sleeps is started. */
export async function restartDatabase(means: DatabaseMeans, database: string): Promise<void> {
  const { keeper, files } = means;
  if (files.databases.get(database).state === "stopped") {
    throw new HostProblem(409, "stopped", `${database} is stopped: start it.`);
  }
  const { record, server } = keeper.live(database);
  if (server === undefined) await keeper.start(record.name);
  else await keeper.restart(record.name);
  await settle(means, database);
}
