// Processes and directories of test runs, and what is left of a run that was killed.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const parent = join(tmpdir(), "miosa-e2e");

/** A new directory of this process; directories of test runs that are no more go away first. */
export function makeRunDirectory(): string {
  mkdirSync(parent, { recursive: true });
  for (const name of readdirSync(parent)) {
    const owner = Number(/^run-(\d+)-/.exec(name)?.[1]);
    if (!existsSync(`/proc/${owner}`)) removeRunDirectory(join(parent, name));
  }
  return mkdtempSync(join(parent, `run-${process.pid}-`));
}

/** Ends what still runs for a directory, and removes it. */
export function removeRunDirectory(directory: string): void {
  for (const pid of processesOf(directory)) kill(pid);
  rmSync(directory, { recursive: true, force: true, maxRetries: 10 });
}

/** Ids of the processes that were started for a directory, by their arguments or environment. */
export function processesOf(directory: string): number[] {
  const ids = readdirSync("/proc").map(Number);
  return ids.filter((pid) => pid > 1 && pid !== process.pid && isFor(pid, directory));
}

/** Kills a process at once; one that has ended already is as good. */
export function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function isFor(pid: number, directory: string): boolean {
  return ["cmdline", "environ"].some((file) => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, "utf8").includes(directory);
    } catch {
      // Another user's, or gone meanwhile.
      return false;
    }
  });
}
