// Leads the clients of an instance to it or away from it, as its Postgres is started or stopped.
import { createTurns } from "../turn.ts";
import type { Doorbells } from "./doorbell.ts";
import { writeSettings } from "./files.ts";
import type { Lines } from "./line.ts";
import { linkTarget, pointLink } from "./link.ts";
import type { Roster } from "./roster.ts";
import { ensureServer, stopServer } from "./server.ts";

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
  readonly onChange: LineChange;
}

/** Hears that a line has no Postgres until somebody comes, or has one; also once more. */
export type LineChange = (line: string, to: "suspended" | "woken") => void;

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
  const line = parts.lines.of(name);
  if (line !== undefined) parts.onChange(line, "woken");
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

/** Which instance a line is to lead to. */
interface Replacement {
  readonly line: string;
  readonly name: string;
  readonly between: (() => void) | undefined;
}

/** Puts an instance in the place of the one a line leads to, which is stopped and kept. */
export async function replace(
  parts: Parts,
  hold: Hold,
  { line, name, between }: Replacement,
): Promise<void> {
  const { roster, lines } = parts;
  const former = lines.at(line);
  if (former === name) return;
  const letGo = await hold(line);
  try {
    // What was acknowledged is in it before anybody is served by the other.
    const { server } = former === undefined ? { server: undefined } : roster.get(former);
    if (server !== undefined) await stopServer(server);
    between?.();
    lines.set(line, name);
    roster.want(name, "running");
    await lead(parts, name);
  } finally {
    await letGo();
  }
  if (former === undefined) return;
  roster.note(former, undefined);
  roster.want(former, "stopped");
  await parts.bells.take(former);
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
      await inTurn(async () => roster.note(name, await ensureServer(box)));
    }
    return lead(parts, name);
  };
}
