// A long-running child: started, started anew when it ends, stopped.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { say } from "../install/command.ts";
import { lastLines, openLog } from "./log-file.ts";

/** What to run, in words of `spawn`. */
export interface Program {
  /** How lines for the person at the terminal call it. */
  readonly name: string;
  /** Arguments of this Node. */
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly log: string;
  /** Called with each new process's id, before it can do anything that needs it. */
  readonly onStart: (pid: number) => void;
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
  const child = spawn(process.execPath, program.args, {
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
      await watching;
    },
  };
}
