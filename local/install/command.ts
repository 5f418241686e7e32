// Short programs run to their end: quietly, or with a sign of life for whoever waits.
import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";

const environment = () => ({ ...process.env, LC_ALL: "C.UTF-8" });

/** What a program printed on stdout; undefined when it could not run or failed. */
export function outputOf(program: string, args: readonly string[]): string | undefined {
  const result = spawnSync(program, args, {
    encoding: "utf8",
    env: environment(),
    stdio: ["ignore", "pipe", "ignore"],
  });
  return result.status === 0 ? result.stdout : undefined;
}

const directories = () => [
  ...(process.env.PATH ?? "").split(delimiter),
  // Not in an ordinary user's PATH, though servers are there.
  ...["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"],
];

/** Paths of every program with this name, in the order of the PATH. */
export function findPrograms(name: string): readonly string[] {
  const paths = directories().map((directory) => join(directory || ".", name));
  return [...new Set(paths)].filter(isExecutable);
}

/** The first program with this name, or undefined. */
export function findProgram(name: string): string | undefined {
  return findPrograms(name)[0];
}

function isExecutable(path: string): boolean {
  if (!existsSync(path)) return false;
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Writes a line for the person at the terminal. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const lifeSignSeconds = 10;
const linesKept = 40;

/**
 * Runs a program that takes its time. Says what is done, and again with the time and the
 * program's last line every 10 s. Rejects with the last lines when the program fails.
 */
export function runLong(title: string, program: string, args: readonly string[]): Promise<void> {
  say(title);
  const startedAt = performance.now();
  const seconds = () => Math.round((performance.now() - startedAt) / 1000);
  const lines: string[] = [];
  const child = spawn(program, args, { env: environment(), stdio: ["inherit", "pipe", "pipe"] });
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      lines.push(...text.split(/[\r\n]+/).filter((line) => line.trim() !== ""));
      lines.splice(0, lines.length - linesKept);
    });
  }
  const sign = setInterval(() => {
    say(`  ${seconds()} s: ${(lines.at(-1) ?? "working").slice(0, 100)}`);
  }, lifeSignSeconds * 1000);
  const ended = new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (code === 0) return resolve();
      const end = signal === null ? `ended with ${code}` : `was ended by ${signal}`;
      reject(new Error(`${[program, ...args].join(" ")} ${end}:\n${lines.join("\n")}`));
    });
  });
  return ended.finally(() => clearInterval(sign));
}
