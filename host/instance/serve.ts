// Leads the clients of an instance to it or away from it, as its Postgres is started or stopped.
import { createTurns } from "../turn.ts";
import type { Doorbells } from "./doorbell.ts";
import { writeSettings } from "./files.ts";
import type { Lines } from "./line.ts";
import { linkTarget, pointLink } from "./link.ts";
import type { Roster } from "./roster.ts";
import { startServer, stopServer } from "./server.ts";

/** Starts are work for the processors and the disk: more at once make each later. */
const startsAtOnce = 4;

/** Holds the clients of a line between statements. @returns how to let them go on */
export type Hold = (line: string) => Promise<() => Promise<void>>;
const nobodyHeld = async () => undefined;

/** What verbs about instances work with. */
export interface Parts {
  readonly roster: Roster;
  readonly lines: Lines;
  readonly bells: Doorbells;
  readonly linkOf: (line: string) => string;
}

/** Leads the clients of an instance to a directory, when any are led to it at all. */
export function leadTo({ lines, linkOf }: Parts, name: string, directory: string): void {
  const line = lines.of(name);
  if (line !== undefined && linkTarget(linkOf(line)) !== directory) {
    pointLink(linkOf(line), directory);
  }
}

/** Leads clients to its Postgres. */
export async function lead(parts: Parts, name: string): Promise<string> {
  const { socket, door } = parts.roster.box(name).place;
  leadTo(parts, name, socket);
  await parts.bells.take(name);
  return door;
}

/** Holds the clients of an instance, when any are led to it at all. */
export async function holdClients({ lines }: Parts, hold: Hold, name: string) {
  const line = lines.of(name);
  return line === undefined ? nobodyHeld : hold(line);
}

/** Leads clients elsewhere, and then stops what they were served by. */
export async function halt(parts: Parts, hold: Hold, name: string, next: string): Promise<void> {
  const { roster } = parts;
  const { server } = roster.get(name);
  const letGo = await holdClients(parts, hold, name);
  try {
    leadTo(parts, name, next);
    if (server !== undefined) await stopServer(server);
    roster.note(name, undefined);
  } finally {
    await letGo();
  }
}

/** Makes starts, few at a time. */
export function createStart(parts: Parts) {
  const { roster } = parts;
  const inTurn = createTurns(startsAtOnce);
  return async (name: string): Promise<string> => {
    const { record, server } = roster.get(name);
    if (server === undefined) {
      const box = roster.box(name);
      writeSettings(box, record.size);
      await inTurn(async () => roster.note(name, await startServer(box)));
    }
    return lead(parts, name);
  };
}
