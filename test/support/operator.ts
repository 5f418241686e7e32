// What the host's own superuser sees inside of an instance, which no client ever is.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { findRunning, isFirstOfBox, type Running } from "../../host/base/running.ts";
import { platformPassword } from "../../host/instance/fleet.ts";
import { placeOf } from "../../host/instance/place.ts";
import { platformSession } from "../../host/instance/session.ts";
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

const secretOf = (system: RunningSystem): string =>
  json(join(hostDirectory(system), "secret.json")).host_secret;

/** How the host's superuser gets in to the instance of a database. */
export function superuserOf(system: RunningSystem, database: string) {
  const directory = hostDirectory(system);
  const secret = secretOf(system);
  const { door, socket } = placeOf(directory, instanceOf(system, database));
  return { door, socket, password: platformPassword({ secret }, database) };
}

/** The rows of one query as the host program asks them, in the database itself or another one. */
export async function operatorQuery(
  system: RunningSystem,
  database: string,
  text: string,
  inside = database,
) {
  const place = placeOf(hostDirectory(system), instanceOf(system, database));
  const session = platformSession({ secret: secretOf(system) }, place, database, inside);
  return session.query<Record<string, unknown>>(text).finally(() => session.close());
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
