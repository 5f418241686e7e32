// Processes that outlive this program: one is known by its number and the moment it was started, as
// numbers are given again, and found anew by a word of its command line.
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { readIfExists } from "./file.ts";

/** A running process: its number, and when it was started, as the kernel counts. */
export interface Running {
  readonly pid: number;
  readonly startedTicks: string;
}

const lookMilliseconds = 4;

/** What the kernel says of a process: its state, and when it was started. */
function statusOf(pid: number): { readonly state: string; readonly ticks: string } | undefined {
  const stat = readIfExists(`/proc/${pid}/stat`);
  // Its name, the second field, may hold blanks.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, ticks] = [fields?.[0], fields?.[19]];
  return state === undefined || ticks === undefined ? undefined : { state, ticks };
}

/** The process with a number; undefined when there is none. */
export function runningAt(pid: number): Running | undefined {
  const status = tryOr(() => statusOf(pid), undefined);
  return status === undefined ? undefined : { pid, startedTicks: status.ticks };
}

/** What becomes of a process: one that was halted by a signal lives, and does nothing. */
export function conditionOf({ pid, startedTicks }: Running): "runs" | "halted" | "gone" {
  const status = tryOr(() => statusOf(pid), undefined);
  if (status?.ticks !== startedTicks || ["Z", "X"].includes(status.state)) return "gone";
  return status.state === "T" ? "halted" : "runs";
}

/**
 * True while it is that very process and not another one with its number. The first process of a
 * namespace is gone only when all others of it are.
 */
export function isRunning(running: Running): boolean {
  return conditionOf(running) !== "gone";
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

const namespacesOf = (pid: number | "self") =>
  tryOr(() => readFileSync(`/proc/${pid}/status`, "utf8"), "")
    .match(/^NSpid:\t(.*)$/m)?.[1]
    ?.split("\t") ?? [];

/** True for the first process of a process namespace that was made in this program's own. */
export function isFirstOfBox(pid: number): boolean {
  const numbers = namespacesOf(pid);
  return numbers.length === namespacesOf("self").length + 1 && numbers.at(-1) === "1";
}

/** Every process whose words say a name, by name. */
export function findRunning(
  nameIn: (words: readonly string[], pid: number) => string | undefined,
): Map<string, Running> {
  const found = new Map<string, Running>();
  const pids = readdirSync("/proc").map(Number);
  for (const pid of pids.filter((id) => id > 1)) {
    const name = nameIn(wordsOf(pid), pid);
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
