// Where everything of one instance is. What its Postgres may write is in one directory, which it
// sees as `/instance`; all else belongs to the host program, so that nothing the host reads by name
// can be exchanged from inside the box.
import { createHash } from "node:crypto";
import { join } from "node:path";

/** Names the socket of every instance: none has a network. */
export const socketPort = 5432;

/** What an instance sees of itself, by the names it has inside of its box. */
export const inside = {
  data: "/instance/data",
  socket: "/instance/socket",
  settings: "/settings/postgresql.conf",
  access: "/settings/pg_hba.conf",
} as const;

/** Paths of one instance. */
export interface InstancePlace {
  /** Its own name, which no other instance of the host ever has. */
  readonly name: string;
  readonly directory: string;
  /** All that its Postgres may write. */
  readonly box: string;
  readonly data: string;
  readonly socket: string;
  /** A link to that directory, short enough for the path of a socket. */
  readonly door: string;
  readonly settings: string;
  /** Names its user, which initdb asks for. */
  readonly passwd: string;
  /** What its Postgres says; the host opens it, Postgres only appends. */
  readonly log: string;
  /** Locked for as long as a process of it lives; there before the first one does. */
  readonly lock: string;
  /** What it is; outside of its directory, so that it is known when that is lost. */
  readonly record: string;
}

/**
 * Stands for a name in the path of a socket, which Linux gives 107 bytes: with it the directory of
 * a fleet may take 74 of them.
 */
export function shortName(name: string): string {
  return createHash("sha256").update(name).digest("hex").slice(0, 12);
}

/** Names the paths of an instance in the directory of a fleet; makes nothing. */
export function placeOf(fleetDirectory: string, name: string): InstancePlace {
  const directory = join(fleetDirectory, "instance", name);
  const box = join(directory, "box");
  return {
    name,
    directory,
    box,
    data: join(box, "data"),
    socket: join(box, "socket"),
    door: join(fleetDirectory, "door", shortName(name)),
    settings: join(directory, "settings"),
    passwd: join(directory, "settings", "passwd"),
    log: join(directory, "postgres.log"),
    lock: join(directory, "lock"),
    record: join(fleetDirectory, "record", `${name}.json`),
  };
}
