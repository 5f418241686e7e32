// Processes this program did not necessarily start: found by pid file, trusted only after a look.
import { readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { readIfExists } from "./file.ts";

/** What makes a process the one a pid file means. */
export interface Identity {
  /** Name of the program's file, such as `postgres`. */
  readonly program: string;
  /** An argument no other process has: its data directory or configuration file. */
  readonly argument: string;
}

/** True when the process lives, is ours, and is that program with that argument. */
function isProcess(pid: number, identity: Identity): boolean {
  try {
    const [path = "", ...args] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    // A zombie has an empty command line, so it is already excluded here.
    if (basename(path) !== identity.program || !args.includes(identity.argument)) return false;
    return statSync(`/proc/${pid}`).uid === process.getuid?.();
  } catch {
    return false;
  }
}

/** The pid in the first line of a pid file, whoever has it now. */
function readPid(pidFile: string): number | undefined {
  const pid = Number.parseInt(readIfExists(pidFile) ?? "", 10);
  return pid > 1 ? pid : undefined;
}

/** The pid of the running program a pid file names, or undefined. */
export function findProcess(pidFile: string, identity: Identity): number | undefined {
  const pid = readPid(pidFile);
  return pid !== undefined && isProcess(pid, identity) ? pid : undefined;
}

/** True for a process that was halted by a signal, as SIGSTOP does, and not sent on. */
export function isHalted(pid: number): boolean {
  const state = /^\d+ \(.*\) (\S)/.exec(readIfExists(`/proc/${pid}/stat`) ?? "")?.[1];
  return state === "T";
}

/** Children of a process, none of one that is gone. */
export function childrenOf(pid: number): number[] {
  const text = readIfExists(`/proc/${pid}/task/${pid}/children`) ?? "";
  return text.split(" ").map(Number).filter(Boolean);
}

/** Sends a signal and waits for the end; false when the process still lives after `seconds`. */
export async function endProcess(
  pid: number,
  identity: Identity,
  signal: NodeJS.Signals,
  seconds: number,
): Promise<boolean> {
  const deadline = performance.now() + seconds * 1000;
  if (isProcess(pid, identity)) process.kill(pid, signal);
  while (isProcess(pid, identity)) {
    if (performance.now() > deadline) return false;
    await delay(20);
  }
  return true;
}
