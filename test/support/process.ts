// Processes and directories of test runs, and what is left of a run that was killed.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// By user: one cannot clean up after another.
const parent = join(tmpdir(), `miosa-e2e-${process.getuid?.() ?? 0}`);

/** A new directory of this process; what is left of runs that are no more goes away first. */
export function makeRunDirectory(): string {
  leftovers().forEach(removeRunDirectory);
  mkdirSync(parent, { recursive: true });
  return mkdtempSync(join(parent, `run-${process.pid}-`));
}

/** Ends and removes what runs left that are no more; returns when it is gone. */
export function removeLeftovers(): void {
  for (const directory of leftovers()) {
    for (const pid of processesOf(directory)) kill(pid);
    rmSync(directory, { recursive: true, force: true, maxRetries: 10 });
  }
}

function leftovers(): string[] {
  const names = existsSync(parent) ? readdirSync(parent) : [];
  return names
    .filter((name) => !existsSync(`/proc/${Number(/^run-(\d+)-/.exec(name)?.[1])}`))
    .map((name) => join(parent, name));
}

/**
 * Ends what still runs for a directory, and has it removed in the background: a host of 200
 * databases is 60,000 files, which take half a minute.
 */
export function removeRunDirectory(directory: string): void {
  for (const pid of processesOf(directory)) kill(pid);
  spawn("rm", ["-rf", directory], { detached: true, stdio: "ignore" }).unref();
}

/**
 * Ids of the processes that were started for a directory: by their arguments or environment, or by
 * their mounts, as servers may know it under another name.
 */
export function processesOf(directory: string): number[] {
  const ids = readdirSync("/proc").map(Number);
  return ids.filter((pid) => pid > 1 && pid !== process.pid && isFor(pid, directory));
}

/** Kills a process at once, or sends it a signal; one that has ended already is as good. */
export function kill(pid: number, signal: NodeJS.Signals = "SIGKILL"): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function isFor(pid: number, directory: string): boolean {
  return ["cmdline", "environ", "mountinfo"].some((file) => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, "utf8").includes(directory);
    } catch {
      // Another user's, or gone meanwhile.
      return false;
    }
  });
}
