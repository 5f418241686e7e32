// A copy of a database's files beside its repository, made with its last base backup: a recovery
// begins with it without unpacking anything. Where the file system shares blocks it takes no room;
// elsewhere it is made while there is plenty. One that is lost or odd is done without.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { run } from "../base/spawn.ts";
import { readIfExists, writeAtomically } from "../file.ts";
import { type Box, toolLine } from "../instance/box.ts";
import { copyRunning, makeEmptyData } from "../instance/clone.ts";
import { giveTo, makePassable, removeTree, syncFileSystem } from "../instance/files.ts";
import { boxOf, type Fleet } from "../instance/fleet.ts";
import { inside } from "../instance/place.ts";
import type { InstanceRecord } from "../instance/record.ts";
import { log, messageOf } from "../log.ts";
import { segmentAt, timelineOf } from "../wal/segment.ts";
import { lsnOf } from "../wal/timeline.ts";
import type { BaseBackup } from "./repository.ts";

const megabyte = 1024 ** 2;
/** Unpacking less takes no longer than copying it. */
const bytesMin = 48 * megabyte;
/** Where blocks are not shared. */
const bytesMax = 4096 * megabyte;
/** Of the disk: what has to be left over. */
const freeShareMin = 0.2;

const Facts = z.object({
  /** The base backup it was made with. */
  label: z.string(),
  /** Unix time, seconds and parts of them. */
  startedAt: z.number(),
  stoppedAt: z.number(),
  firstWal: z.string(),
  lastWal: z.string(),
  startLsn: z.string(),
  endLsn: z.string(),
  databaseBytes: z.number(),
  type: z.enum(["full", "diff", "incr"]),
  repositoryBytes: z.number(),
});

/** One that is there. */
export interface LaidOut {
  readonly backup: BaseBackup;
  /** Its data directory. */
  readonly data: string;
}

/** Copies it into the empty data directory of an instance, by a program in that one's box. */
export async function copyLaidOut(
  { data }: LaidOut,
  box: Box,
  signal?: AbortSignal,
): Promise<void> {
  // A database that was removed may have come back as another user's.
  if (box.uid !== null && statSync(data).uid !== box.uid) await giveTo(box, data);
  const how = ["-r", "--reflink=auto", "--preserve=mode", "--no-target-directory"];
  const line = toolLine(box, "cp", [...how, "/laid", inside.data], { readable: { "/laid": data } });
  await run(line, {}, undefined, signal);
}

/** The copies of one database. */
export interface LaidOuts {
  /** Makes one of a running instance right after a base backup, and removes those before it. */
  make(of: InstanceRecord, beside: BaseBackup): Promise<void>;
  /** The newest one, which stays until it is let go of; undefined when there is none. */
  hold(): { readonly newest: LaidOut | undefined; readonly letGo: () => void };
  /** Removes all that nobody works with; false when there is none. */
  removeAll(): Promise<boolean>;
}

const shares = new Map<string, Promise<boolean>>();

/** Whether the file system a directory is on shares blocks between copies; tried once. */
function sharesBlocks(directory: string): Promise<boolean> {
  const tried = shares.get(directory) ?? tryToShare(directory);
  shares.set(directory, tried);
  return tried;
}

async function tryToShare(directory: string): Promise<boolean> {
  const [from, to] = ["from", "to"].map((name) => join(directory, `.share-${name}`));
  if (from === undefined || to === undefined) return false;
  writeFileSync(from, "shared?");
  try {
    await run(["/usr/bin/cp", "--reflink=always", from, to]);
    return true;
  } catch {
    return false;
  } finally {
    for (const path of [from, to]) rmSync(path, { force: true });
  }
}

/** Whether a copy of so many bytes is worth its room. */
async function isWorthIt(directory: string, bytes: number): Promise<boolean> {
  if (bytes < bytesMin) return false;
  const { bavail, blocks, bsize } = statfsSync(directory);
  if (bavail < freeShareMin * blocks) return false;
  if (await sharesBlocks(directory)) return true;
  return bytes <= bytesMax && bavail * bsize - bytes >= freeShareMin * blocks * bsize;
}

/** The first segment a copy needs, and the address it begins at. */
function beginIn(label: string): { readonly firstWal: string; readonly startLsn: string } {
  const said = /^START WAL LOCATION: (\S+) \(file ([\dA-F]{24})\)$/m.exec(label);
  const [, startLsn, firstWal] = said ?? [];
  if (startLsn === undefined || firstWal === undefined) {
    throw new Error("Postgres' backup_label does not say where its WAL begins.");
  }
  return { firstWal, startLsn };
}

/** What is there, in a directory of all copies of one database. */
function createShelf(parent: string) {
  const users = new Map<string, number>();
  const names = () => (existsSync(parent) ? readdirSync(parent) : []);
  const factsOf = (name: string) => join(parent, `${name}.json`);

  function read(name: string): BaseBackup | undefined {
    try {
      const text = readIfExists(factsOf(name));
      return text === undefined ? undefined : Facts.parse(JSON.parse(text));
    } catch (error) {
      log("warn", `${factsOf(name)} cannot be read: ${messageOf(error)}`);
      return undefined;
    }
  }

  return {
    names,
    /** It is there once this is written. */
    put: (name: string, facts: BaseBackup) => writeAtomically(factsOf(name), JSON.stringify(facts)),
    /** Removes others, also those that a crash left half made; what is used stays. */
    async removeBut(kept: string | undefined): Promise<void> {
      const all = new Set(names().map((name) => name.replace(/\.json(\.part)?$/, "")));
      for (const name of all) {
        if (name === kept || (users.get(name) ?? 0) > 0) continue;
        rmSync(factsOf(name), { force: true });
        await removeTree(join(parent, name));
      }
    },
    hold(): ReturnType<LaidOuts["hold"]> {
      const whole = names().flatMap((name) => /^(.+)\.json$/.exec(name)?.[1] ?? []);
      const name = whole.toSorted().findLast((one) => read(one) !== undefined);
      const backup = name === undefined ? undefined : read(name);
      if (name === undefined || backup === undefined) {
        return { newest: undefined, letGo: () => undefined };
      }
      users.set(name, (users.get(name) ?? 0) + 1);
      const letGo = () => void users.set(name, (users.get(name) ?? 1) - 1);
      return { newest: { backup, data: join(parent, name, "data") }, letGo };
    },
  };
}

/** Copies a running instance into a directory of its own. @returns what it is as a base backup */
async function copyInto(
  fleet: Fleet,
  of: InstanceRecord,
  box: string,
  beside: BaseBackup,
): Promise<BaseBackup> {
  const startedAt = Date.now() / 1000;
  const { uid } = boxOf(fleet, of.name, of.slot, of.size);
  mkdirSync(box, { mode: 0o711 });
  makePassable(box);
  makeEmptyData({ place: { box }, uid });
  const { label, endLsn } = await copyRunning(fleet, of, { box, data: join(box, "data") }, false);
  const stoppedAt = Date.now() / 1000;
  await syncFileSystem(box);
  const { firstWal, startLsn } = beginIn(label);
  const lastWal = segmentAt(timelineOf(firstWal), lsnOf(endLsn) - 1n);
  return { ...beside, startedAt, stoppedAt, firstWal, lastWal, startLsn, endLsn };
}

/** Opens those in the directory of a repository. */
export function openLaidOuts(fleet: Fleet, directory: string): LaidOuts {
  const parent = join(directory, "laid");
  const shelf = createShelf(parent);
  return {
    async make(of, beside) {
      if (!(await isWorthIt(directory, beside.databaseBytes))) return shelf.removeBut(undefined);
      const name = (Date.now() / 1000).toFixed(3);
      makePassable(parent);
      shelf.put(name, await copyInto(fleet, of, join(parent, name), beside));
      await shelf.removeBut(name);
    },
    hold: shelf.hold,
    async removeAll() {
      if (shelf.names().length === 0) return false;
      await shelf.removeBut(undefined);
      return true;
    },
  };
}
