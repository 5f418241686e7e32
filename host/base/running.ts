// Processes that outlive this program: one is known by its number and the moment it was started, as
// numbers are given again, and found anew by a word of its command line.
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { readIfExists } from "../file.ts";

/** A running process: its number, and when it was started, as the kernel counts. */
export interface Running {
  readonly pid: number;
  readonly startedTicks: string;
}

const lookMilliseconds = 4;

/** The 22nd field of a process' state; its name, the second, may hold blanks. */
function startedTicks(pid: number): string | undefined {
  const stat = readIfExists(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}

/** The process with a number; undefined when there is none. */
export function runningAt(pid: number): Running | undefined {
  const ticks = tryOr(() => startedTicks(pid), undefined);
  return ticks === undefined ? undefined : { pid, startedTicks: ticks };
}

/** True while it is that very process and not another one with its number. */
export function isRunning({ pid, startedTicks: ticks }: Running): boolean {
  // A zombie has no command line.
  const length = () => readFileSync(`/proc/${pid}/cmdline`).length;
  return tryOr(() => startedTicks(pid) === ticks && length() > 0, false);
}

/** A process may end between two looks at it. */
function tryOr<Value>(look: () => Value, otherwise: Value): Value {
  try {
    return look();
  } catch {
    return otherwise;
  }
}

/** The words a process was started with, or its title; none of one that is gone. */
export function wordsOf(pid: number): readonly string[] {
  return tryOr(() => readFileSync(`/proc/${pid}/cmdline`, "utf8"), "").split("\0");
}

/** Every process whose words say a name, by name. */
export function findRunning(nameIn: (words: readonly string[]) => string | undefined) {
  const found = new Map<string, Running>();
  const pids = readdirSync("/proc").map(Number);
  for (const pid of pids.filter((id) => id > 1)) {
    const name = nameIn(wordsOf(pid));
    const running = name === undefined ? undefined : runningAt(pid);
    if (name !== undefined && running !== undefined) found.set(name, running);
  }
  return found;
}

/** Sends a signal; to one that is gone, none. */
export function signal(running: Running, name: NodeJS.Signals): void {
  try {
    if (isRunning(running)) process.kill(running.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Waits for its end; false when it still runs after so long. */
export async function endsWithin(running: Running, seconds: number): Promise<boolean> {
  const deadline = performance.now() + seconds * 1000;
  while (isRunning(running)) {
    if (performance.now() > deadline) return false;
    await delay(lookMilliseconds);
  }
  return true;
}

/** Ends it at once, and waits until it is gone. */
export async function endNow(running: Running): Promise<void> {
  signal(running, "SIGKILL");
  await endsWithin(running, Number.POSITIVE_INFINITY);
}
