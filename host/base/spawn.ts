// Starts programs that outlive this one, and runs others to their end.
import { execFile, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";

/** A command line: its first word is the program. */
export type CommandLine = readonly [string, ...string[]];

/** Before the words of what is nobody's hurry: who works meanwhile comes first. */
export const patiently: CommandLine = ["/usr/bin/nice", "-n", "10"];

/** What programs are given: what the operator's shell exports must not steer them. */
export const environment = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C.UTF-8", TZ: "UTC" };

const outputBytesMax = 64 * 1024 * 1024;
/** Some say on their output what is wrong. */
const saidCharactersMax = 4000;
/** The copy of a large database takes as long as that. */
const longestSeconds = 6 * 3600;

/** A program that was just started. */
export interface Launched {
  readonly pid: number;
  /** Undefined while it runs; null when it could not be started, or was ended by a signal. */
  exitCode(): number | null | undefined;
}

/** Starts a program in a session of its own; what it says is added to a file this one opens. */
export function launch([program, ...args]: CommandLine, log: string): Launched {
  const output = openSync(log, "a", 0o600);
  const stdio: ("ignore" | number)[] = ["ignore", output, output];
  const child = spawn(program, args, { env: environment, cwd: "/", detached: true, stdio });
  closeSync(output);
  child.unref();
  let code: number | null | undefined;
  child.once("exit", (status) => {
    code = status;
  });
  child.once("error", () => {
    code = null;
  });
  return { pid: child.pid ?? 0, exitCode: () => code };
}

/**
 * Runs a program to its end: its output. `secrets` are variables it reads, as everybody sees
 * arguments. It is ended when it takes longer than `seconds`, or by the signal.
 * @throws Error with what it said
 */
export function run(
  [program, ...args]: CommandLine,
  secrets: Readonly<Record<string, string>> = {},
  seconds = longestSeconds,
  signal?: AbortSignal,
): Promise<string> {
  const options = {
    env: { ...environment, ...secrets },
    cwd: "/",
    maxBuffer: outputBytesMax,
    timeout: seconds * 1000,
    killSignal: "SIGKILL",
    ...(signal && { signal }),
  } as const;
  return new Promise((resolve, reject) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const end = `it ended with ${error.code ?? error.signal}`;
      const said = stderr.trim() || stdout.trim().slice(0, saidCharactersMax);
      reject(new Error(`${program} failed: ${said || end}`));
    });
  });
}
