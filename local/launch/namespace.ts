// A user namespace for a host program that is nobody's root: in it the person who started is root,
// and some thousand users beside are theirs to become. A process that does nothing holds it, also
// when launcher and host program are gone: databases live on in it, and only who is in it may end
// them.
import { spawn } from "node:child_process";
import { readlinkSync, rmSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { endNow, isRunning, runningAt, wordsOf } from "../../host/base/running.ts";
import { readIfExists, writeAtomically } from "../../host/file.ts";

/** Users of the system that are users of the namespace; there they begin with 1. */
export interface Mapping {
  readonly uids: { readonly first: number; readonly count: number };
  readonly gids: { readonly first: number; readonly count: number };
}

/** What makes a namespace. */
export interface NamespaceTools {
  readonly unshare: string;
  /** Where it is kept which process holds it. */
  readonly record: string;
  /** Gives a process, which has none yet, its users: 0 is the one it runs as. */
  readonly map: (pid: number, mapping: Mapping) => Promise<void>;
  /** Who holds it, instead of who runs this. */
  readonly as?: { readonly uid: number; readonly gid: number };
}

const Held = z.strictObject({
  pid: z.int().min(1),
  startedTicks: z.string(),
  /** As it was made: what is on disk belongs to these. */
  mapping: z.string(),
});

const beginMilliseconds = 10_000;
const lookMilliseconds = 5;

const namespaceOf = (pid: number | "self") => readlinkSync(`/proc/${pid}/ns/user`);

/** The process that holds one which was made before, and lives. */
function findHolder(record: string, mapping: string): number | undefined {
  const text = readIfExists(record);
  const kept = text === undefined ? undefined : Held.safeParse(JSON.parse(text)).data;
  if (kept === undefined || kept.mapping !== mapping || !isRunning(kept)) return undefined;
  return kept.pid;
}

/** Starts one that holds a namespace without users. */
async function startHolder({ unshare, as }: NamespaceTools): Promise<number> {
  const options = { cwd: "/", detached: true, stdio: "ignore", env: {}, ...as } as const;
  const child = spawn(unshare, ["--user", "--", "/bin/sleep", "infinity"], options);
  child.unref();
  const ended = new Promise<never>((_, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => {
      reject(new Error(`This system lets nobody have a user namespace (unshare: ${code}).`));
    });
  });
  ended.catch(() => undefined);
  const deadline = performance.now() + beginMilliseconds;
  const { pid } = child;
  // Once it is another program it is in its namespace.
  while (pid === undefined || !wordsOf(pid).includes("infinity") || isUnshare(pid)) {
    await Promise.race([delay(lookMilliseconds), ended]);
    if (performance.now() > deadline) throw new Error("A user namespace was not made in time.");
  }
  return pid;
}

const isUnshare = (pid: number) =>
  wordsOf(pid).includes("--user") || namespaceOf(pid) === namespaceOf("self");

/** Finds the namespace with this mapping, or makes it. @returns the process that holds it */
export async function holdNamespace(tools: NamespaceTools, mapping: Mapping): Promise<number> {
  const text = JSON.stringify(mapping);
  const known = findHolder(tools.record, text);
  if (known !== undefined) return known;
  // One with others was made before there was a database: nothing lives in it.
  await letGoOf(tools.record);
  const holder = runningAt(await startHolder(tools));
  try {
    if (holder === undefined) throw new Error("What holds the user namespace ended.");
    await tools.map(holder.pid, mapping);
    writeAtomically(tools.record, `${JSON.stringify({ ...holder, mapping: text })}\n`);
    return holder.pid;
  } catch (error) {
    if (holder !== undefined) await endNow(holder);
    throw error;
  }
}

/** Ends what holds a namespace, when nothing lives in it any more. */
export async function letGoOf(record: string): Promise<void> {
  const text = readIfExists(record);
  const kept = text === undefined ? undefined : Held.safeParse(JSON.parse(text)).data;
  if (kept !== undefined) await endNow(kept);
  rmSync(record, { force: true });
}

/** Before the words of a program: it is root in the namespace. */
export function enterLine(nsenter: string, pid: number): readonly string[] {
  return [nsenter, `--user=/proc/${pid}/ns/user`, "--setuid=0", "--setgid=0", "--"];
}
