// The Postgres of one instance as a process: found, started, stopped. It outlives the host program,
// which finds it again by a word of its command line.
import { basename } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import {
  endNow,
  endsWithin,
  findRunning,
  isFirstOfBox,
  isRunning,
  type Running,
  runningAt,
  signal,
  wordsOf,
} from "../base/running.ts";
import { launch } from "../base/spawn.ts";
import { childrenOf } from "../process.ts";
import { type Box, lockedExitCode, markArgument, nameArgument, serverLine } from "./box.ts";
import { listInside, readInside } from "./inside.ts";
import { lastWords, saidBytes } from "./words.ts";

const lookMilliseconds = 4;
const lockMilliseconds = 50;
/** It writes its pid file in its first milliseconds. */
const beginSeconds = 20;
const fastStopSeconds = 60;
const immediateStopSeconds = 10;

/** How a start went wrong; its message has the last words of Postgres. */
class StartFailure extends Error {
  override readonly name = "StartFailure";
  /** Another Postgres has the files. */
  readonly isLocked: boolean;

  constructor(message: string, isLocked = false) {
    super(message);
    this.isLocked = isLocked;
  }
}

const nameForm = new RegExp(`^${nameArgument("(.+)")}$`);

/** The instance a process is the postmaster of; backends have titles in place of words. */
function instanceIn([path = "", ...args]: readonly string[]): string | undefined {
  if (basename(path) !== "postgres") return undefined;
  return args.map((arg) => nameForm.exec(arg)?.[1]).find((name) => name !== undefined);
}

/**
 * Every instance's Postgres of a host that runs, by name, whoever started it. Processes of a box
 * may call themselves what they like: only the first one of a namespace right below ours is meant.
 */
export function findServers(mark: string): Map<string, Running> {
  return findRunning((words, pid) =>
    words.includes(markArgument(mark)) && isFirstOfBox(pid) ? instanceIn(words) : undefined,
  );
}

const pidFile = (box: Box) => readInside(box.place.box, "data", "postmaster.pid");

/** How far a start is: nothing yet, under way, or done. A former Postgres' file is left out. */
function progressOf(box: Box, former: string | undefined): "none" | "starting" | "ready" {
  const file = pidFile(box);
  if (file === undefined || file.state === former) return "none";
  const said = file.text.split("\n")[7]?.trim() ?? "";
  return ["ready", "standby"].includes(said) ? "ready" : "starting";
}

/** Postgres would wait for ever for who writes to a pipe of that name. */
function refuseTrap({ place }: Box): void {
  const isThere = listInside(place.box, "data").includes("postmaster.pid");
  if (!isThere || readInside(place.box, "data", "postmaster.pid") !== undefined) return;
  throw new StartFailure(`${place.name} is not started: its postmaster.pid is no file. Remove it.`);
}

/** Why a launch ended before it let anybody in. */
function failureOf({ place }: Box, code: number | null, from: number): StartFailure {
  return code === lockedExitCode
    ? new StartFailure(`The files of ${place.name} are in use by another Postgres.`, true)
    : new StartFailure(`${place.name} did not start: ${lastWords(place.log, from)}`);
}

/**
 * Starts it; resolves when it lets clients in, however long it has to recover first.
 * @throws StartFailure with Postgres' words when it ends instead, or does not begin
 */
export async function startServer(box: Box): Promise<Running> {
  const { name, log } = box.place;
  refuseTrap(box);
  const former = pidFile(box)?.state;
  const from = saidBytes(log);
  const { pid: monitor, exitCode } = launch(serverLine(box), log);
  const deadline = performance.now() + beginSeconds * 1000;
  for (;;) {
    const code = exitCode();
    if (code !== undefined) throw failureOf(box, code, from);
    const pid = childrenOf(monitor).find((child) => instanceIn(wordsOf(child)) === name);
    const server = pid === undefined ? undefined : runningAt(pid);
    const progress = server === undefined ? "none" : progressOf(box, former);
    if (server !== undefined && progress === "ready") return server;
    if (progress === "none" && performance.now() > deadline) {
      const begun = server ?? runningAt(monitor);
      if (begun !== undefined) await endNow(begun);
      throw new StartFailure(`${name} did not begin to start within ${beginSeconds} s.`);
    }
    await delay(lookMilliseconds);
  }
}

/** The Postgres of an instance that somebody had begun to start, once it lets clients in. */
async function findBegun(box: Box): Promise<Running | undefined> {
  const server = findServers(box.mark).get(box.place.name);
  if (server === undefined) return undefined;
  while (isRunning(server) && progressOf(box, undefined) !== "ready") await delay(lookMilliseconds);
  return isRunning(server) ? server : undefined;
}

/**
 * Starts it, or takes over the one whose start was begun by a host program that was ended: that
 * has the lock before it can be found.
 * @throws StartFailure as above
 */
export async function ensureServer(box: Box): Promise<Running> {
  const deadline = performance.now() + beginSeconds * 1000;
  for (;;) {
    try {
      return await startServer(box);
    } catch (error) {
      const isLocked = error instanceof StartFailure && error.isLocked;
      if (!isLocked || performance.now() > deadline) throw error;
    }
    const begun = await findBegun(box);
    if (begun !== undefined) return begun;
    await delay(lockMilliseconds);
  }
}

/** Stops it in order; one that does not go is ended. True when it went in order. */
export async function stopServer(server: Running): Promise<boolean> {
  signal(server, "SIGINT");
  if (await endsWithin(server, fastStopSeconds)) return true;
  signal(server, "SIGQUIT");
  // With it end all of its backends; what was acknowledged is in its WAL.
  if (!(await endsWithin(server, immediateStopSeconds))) await endNow(server);
  return false;
}
