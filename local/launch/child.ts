// A long-running child: started, started anew when it ends, stopped.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { isHalted } from "../../host/base/process.ts";
import { say } from "../install/command.ts";
import { lastLines, openLog } from "./log-file.ts";

/** What to run, in words of `spawn`. */
export interface Program {
  /** How lines for the person at the terminal call it. */
  readonly name: string;
  /** What to put before the command line; nothing when absent. */
  readonly prefix?: readonly string[];
  /** Arguments of this Node. */
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly log: string;
  /** Called with each new process's id, before it can do anything that needs it. */
  readonly onStart: (pid: number) => void;
  /** Whether the process answers; it is started anew when it has not for a while. */
  readonly answers: () => Promise<boolean>;
  /** Messages of the child over its IPC channel; without it the child has none. */
  readonly onMessage?: (message: unknown) => void;
}

/** A program that is kept running. */
export interface Kept {
  /** Rejects when the program ends by itself before `established` is called. */
  readonly failed: Promise<never>;
  /** From now on the program is started anew whenever it ends. */
  readonly established: () => void;
  /** Stops it, by force after `seconds`; resolves when it is gone. */
  readonly stop: (seconds: number) => Promise<void>;
}

const steadySeconds = 10;
const pauseMillisecondsMax = 10_000;

/** The pause before a program is started anew: none at first, longer when it keeps ending. */
export function pauseMilliseconds(failures: number): number {
  return failures <= 1 ? 0 : Math.min(pauseMillisecondsMax, 250 * 2 ** (failures - 2));
}

function start(program: Program): ChildProcess {
  const log = openLog(program.log);
  const words = [...(program.prefix ?? []), process.execPath, ...program.args];
  const child = spawn(words[0] ?? "", words.slice(1), {
    env: program.env,
    cwd: "/",
    // A session of its own: Ctrl-C reaches the launcher alone, which stops things in order.
    detached: true,
    stdio: program.onMessage === undefined ? ["ignore", log, log] : ["ignore", log, log, "ipc"],
  });
  closeSync(log);
  if (child.pid !== undefined) program.onStart(child.pid);
  if (program.onMessage !== undefined) child.on("message", program.onMessage);
  return child;
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
}

/** Starts a program and keeps it running. */
export function keepRunning(program: Program): Kept {
  const stopping = new AbortController();
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  let isEstablished = false;
  let child = start(program);
  let ended = endOf(child);

  async function watch(): Promise<void> {
    let failures = 0;
    for (;;) {
      const startedAt = performance.now();
      const reason = await ended;
      if (stopping.signal.aborted) return;
      if (!isEstablished) {
        const said = lastLines(program.log, 5);
        return failed.reject(new Error(`${program.name} ended (${reason}):\n${said}`));
      }
      const isSteady = performance.now() - startedAt > steadySeconds * 1000;
      failures = isSteady ? 1 : failures + 1;
      const pause = pauseMilliseconds(failures);
      const when = pause === 0 ? "" : ` in ${pause / 1000} s`;
      say(`${program.name} ended (${reason}): starting it again${when}`);
      await delay(pause, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return;
      child = start(program);
      ended = endOf(child);
    }
  }

  const watching = watch();
  const healing = keepAnswering(
    program,
    () => child,
    () => isEstablished,
    stopping.signal,
  );
  return {
    failed: failed.promise,
    established: () => {
      isEstablished = true;
    },
    stop: async (seconds) => {
      stopping.abort();
      child.kill("SIGTERM");
      const timer = setTimeout(() => {
        say(`${program.name} did not stop within ${seconds} s: killing it`);
        child.kill("SIGKILL");
      }, seconds * 1000);
      await ended;
      clearTimeout(timer);
      await Promise.all([watching, healing]);
    },
  };
}

const lookMilliseconds = 500;
// How long a process may be halted, or silent, before it is healed.
const haltedMilliseconds = 2000;
const silentMilliseconds = 5000;
// A look that comes so much late says that the machine is starved: then nobody is judged.
const lateMilliseconds = 1500;

/** Sends a process on that was halted, and ends one that lives and does not answer. */
async function keepAnswering(
  { name, answers }: Program,
  child: () => ChildProcess,
  isEstablished: () => boolean,
  signal: AbortSignal,
): Promise<void> {
  let since: number | undefined;
  let lookedAt = performance.now();
  while (!signal.aborted) {
    await delay(lookMilliseconds, undefined, { signal }).catch(() => undefined);
    const { pid } = child();
    const now = performance.now();
    const isStarved = now - lookedAt > lookMilliseconds + lateMilliseconds;
    const isHalt = pid !== undefined && isHalted(pid);
    const isWell = !isEstablished() || pid === undefined || (!isHalt && (await answers()));
    lookedAt = performance.now();
    if (isWell || isStarved || signal.aborted) {
      since = undefined;
      continue;
    }
    since ??= now;
    const silence = performance.now() - since;
    if (isHalt && silence >= haltedMilliseconds) {
      say(`${name} was halted by a signal: sending it on`);
      child().kill("SIGCONT");
      since = undefined;
    } else if (!isHalt && silence >= silentMilliseconds) {
      say(`${name} does not answer: ending it`);
      child().kill("SIGKILL");
      since = undefined;
    }
  }
}
