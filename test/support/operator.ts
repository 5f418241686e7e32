// What the host's own superuser sees inside of an instance, which no client ever is.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { findRunning, isFirstOfBox, type Running } from "../../host/base/running.ts";
import { platformPassword, platformRole } from "../../host/instance/fleet.ts";
import { placeOf, socketPort } from "../../host/instance/place.ts";
import type { RunningSystem } from "./system.ts";

const json = (file: string) => JSON.parse(readFileSync(file, "utf8"));

/** The host's directory. */
function hostDirectory({ home }: RunningSystem): string {
  return join(home, "host");
}

/** The instance that serves a database now. */
export function instanceOf(system: RunningSystem, database: string): string {
  const name = json(join(hostDirectory(system), "line.json"))[database];
  if (typeof name !== "string") throw new Error(`${database} has no instance.`);
  return name;
}

/** How the host's superuser gets in to the instance of a database. */
export function superuserOf(system: RunningSystem, database: string) {
  const directory = hostDirectory(system);
  const secret: string = json(join(directory, "secret.json")).host_secret;
  const { door, socket } = placeOf(directory, instanceOf(system, database));
  return { door, socket, password: platformPassword({ secret }, database) };
}

/** A connection as the host's superuser to the instance of a database. */
async function operatorClient(
  system: RunningSystem,
  database: string,
  inside = "postgres",
): Promise<Client> {
  const { door, password } = superuserOf(system, database);
  const at = { host: door, port: socketPort, database: inside };
  const client = new Client({ ...at, user: platformRole, password });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

/** The rows of one query as the host's superuser, in the database itself or another one. */
export async function operatorQuery(
  system: RunningSystem,
  database: string,
  text: string,
  inside = database,
) {
  const client = await operatorClient(system, database, inside);
  const { rows } = await client.query(text).finally(() => client.end());
  return rows as readonly Record<string, unknown>[];
}

/** Names of what a host has on disk: databases, and instances whether they run or not. */
export function hostObjects(system: RunningSystem) {
  const directory = hostDirectory(system);
  const list = (name: string) => {
    const path = join(directory, name);
    return existsSync(path) ? readdirSync(path).toSorted() : [];
  };
  const names = (files: readonly string[]) => files.map((file) => file.replace(/\.json$/, ""));
  return { databases: names(list("database")), instances: list("instance") };
}

/** The Postgres of an instance that runs; undefined when it has none. */
export function serverOf(instance: string): Running | undefined {
  const isIt = (words: readonly string[], pid: number) =>
    words.includes(`--cluster_name=${instance}`) && isFirstOfBox(pid);
  return findRunning((words, pid) => (isIt(words, pid) ? instance : undefined)).get(instance);
}

/** The Postgres of a database that runs; undefined when it has none. */
export function postgresOf(system: RunningSystem, database: string): Running | undefined {
  return serverOf(instanceOf(system, database));
}
