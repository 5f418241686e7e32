// What root prepares for a service user: users for databases, without a host program that is
// root of the machine. It is root of a user namespace, in which some ten thousand users that
// nobody else has are numbered from 1. A process holds the namespace; whoever starts next finds
// it again, and with it what still runs. Who starts without root is given users by uids.ts.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readlinkSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { readIfExists } from "../../host/base/file.ts";
import { findRunning } from "../../host/base/running.ts";
import { fleetMark } from "../../host/instance/fleet.ts";
import type { Uids } from "./uids.ts";

/** How many users a namespace has beside its root. */
const usersMax = 20_000;
/** Ranges begin here, far above what distributions give to people and containers. */
const firstUser = 1_000_000_000;
const ranges = 50_000;

const lookMilliseconds = 10;
const holdSeconds = 10;

/** The outer numbers of a state directory's users: its own, as likely as not. */
function rangeOf(home: string): number {
  const hash = createHash("sha256").update(home).digest().readUInt32BE(0);
  return firstUser + (hash % ranges) * usersMax;
}

/** The word of its command line by which the holder of a namespace is found. */
const holderWord = (home: string) => `miosa-users=${home}`;

const namespaceOf = (pid: number | "self") => {
  try {
    return readlinkSync(`/proc/${pid}/ns/user`);
  } catch {
    return undefined;
  }
};

/** How many users there are in a process' namespace beside its root; 0 of one that is gone. */
function countUsers(pid: number): number {
  const lines = (readIfExists(`/proc/${pid}/uid_map`) ?? "").trim().split("\n");
  const counts = lines.map((line) => Number(line.trim().split(/\s+/)[2] ?? 0));
  return Math.max(0, counts.reduce((sum, count) => sum + count, 0) - 1);
}

/** A process in the namespace of a state directory: its holder, or what still runs of its host. */
function findHeld(home: string, directory: string): number | undefined {
  const mark = `--miosa.host=${fleetMark({ directory })}`;
  const found = findRunning((words) => {
    if (words.includes(holderWord(home))) return "holder";
    return words.includes(mark) ? "instance" : undefined;
  });
  const own = namespaceOf("self");
  return (
    [found.get("holder"), found.get("instance")]
      .flatMap((running) => running?.pid ?? [])
      // A box has a namespace in that one, with a single user.
      .find((pid) => ![undefined, own].includes(namespaceOf(pid)) && countUsers(pid) > 0)
  );
}

/** Starts a process in a namespace of its own, which has no users yet. @returns its number */
async function startHolder(home: string, as: readonly string[]): Promise<number> {
  // The shell stays, and keeps the word by which it is found.
  const waiting = ["/bin/sh", "-c", "sleep infinity & wait", holderWord(home)];
  const [program = "", ...args] = [...as, "/usr/bin/unshare", "--user", ...waiting];
  const child = spawn(program, args, { detached: true, stdio: "ignore", cwd: "/" });
  child.unref();
  const { pid } = child;
  if (pid === undefined) throw new Error("unshare could not be started.");
  const before = namespaceOf("self");
  const deadline = performance.now() + holdSeconds * 1000;
  while ([undefined, before].includes(namespaceOf(pid))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      throw new Error("This system gives no user namespace.");
    }
    await delay(lookMilliseconds);
  }
  return pid;
}

/** Lines of a map: the program's own user is root inside, the others follow from 1. */
function mapOf(id: number, first: number, count: number): string {
  return `0 ${id} 1\n1 ${first} ${count}\n`;
}

/**
 * What root does for a service user: makes the namespace, and gives it users. `directory` is the
 * host's, as that user sees it.
 */
export async function holdAsRoot(
  home: string,
  directory: string,
  { uid, gid }: { readonly uid: number; readonly gid: number },
): Promise<void> {
  if (findHeld(home, directory) !== undefined) return;
  const ids = [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--"];
  const pid = await startHolder(home, ["/usr/bin/setpriv", ...ids]);
  const first = rangeOf(home);
  writeFileSync(`/proc/${pid}/uid_map`, mapOf(uid, first, usersMax));
  writeFileSync(`/proc/${pid}/gid_map`, mapOf(gid, first, usersMax));
}

/**
 * The users that root gave this process, which is not root; undefined when it did not. `directory`
 * is the host's, as this process sees it.
 */
export function findUsers(home: string, directory: string): Uids | undefined {
  const pid = findHeld(home, directory);
  if (pid === undefined) return undefined;
  const enter = ["/usr/bin/nsenter", `--user=/proc/${pid}/ns/user`, "--setuid=0", "--setgid=0"];
  return {
    ...{ firstUid: 1, uidsMax: countUsers(pid), prefix: [...enter, "--"], missing: null },
    release: async () => releaseUsers(home),
  };
}

/** Ends the holder of a namespace nobody is in any more. */
function releaseUsers(home: string): void {
  const held = findRunning((words) => (words.includes(holderWord(home)) ? "holder" : undefined));
  const pid = held.get("holder")?.pid;
  if (pid !== undefined) process.kill(-pid, "SIGKILL");
}
