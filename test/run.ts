// `npm test`: the checks of the whole house, then every test, each project in a process of its own.
//
//   npm test                            all of it
//   npm test -- check|unit|node|e2e     one part
//   npm test -- unit [pattern]          files of a part whose path holds the pattern
//
// Closes with one line, `N passed, N failed`; a part that runs no test has failed.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { z } from "zod";
import { removeLeftovers } from "./support/process.ts";

const repository = resolve(import.meta.dirname, "..");

/** What a part of the run came to. */
interface Count {
  readonly passed: number;
  readonly failed: number;
}

const checks: Readonly<Record<string, readonly string[]>> = {
  "format and lint": ["biome", "ci", "--error-on-warnings", "."],
  "types of src and workers": ["tsc", "-p", "tsconfig.json"],
  "types of host and bench": ["tsc", "-p", "host/tsconfig.json"],
  "types of tests in workerd": ["tsc", "-p", "test/tsconfig.json"],
  "types of tests in Node": ["tsc", "-p", "test/tsconfig.node.json"],
  "dead code and dependencies": ["knip"],
};
const checkSeconds = 180;

// A project that hangs is ended, since vitest itself would not; e2e may build a root file system.
const projects: Readonly<Record<string, number>> = { unit: 1200, node: 300, e2e: 2400 };

const memory = "/dev/shm";
const memoryBytesMin = 1024 ** 3;

const Report = z.object({ numPassedTests: z.int(), numFailedTests: z.int() });

let running: ChildProcess | undefined;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Runs a program of node_modules in its own process group; null when it was ended for its time. */
async function run(
  command: readonly string[],
  seconds: number,
  variables: NodeJS.ProcessEnv = {},
): Promise<number | null> {
  const [program = "", ...args] = command;
  const bin = join(repository, "node_modules", ".bin");
  const child = spawn(program, args, {
    cwd: repository,
    env: { ...process.env, ...variables, PATH: `${bin}${delimiter}${process.env.PATH ?? ""}` },
    stdio: ["ignore", "inherit", "inherit"],
    detached: true,
  });
  running = child;
  const timer = setTimeout(endRunning, seconds * 1000);
  const [code] = await once(child, "exit");
  clearTimeout(timer);
  running = undefined;
  return code;
}

function endRunning(): void {
  if (running?.pid !== undefined) process.kill(-running.pid, "SIGKILL");
}

async function check(): Promise<Count> {
  let failed = 0;
  for (const [name, command] of Object.entries(checks)) {
    const code = await run(command, checkSeconds);
    say(`check: ${name}: ${code === 0 ? "ok" : `failed (${command.join(" ")})`}`);
    if (code !== 0) failed++;
  }
  return { passed: Object.keys(checks).length - failed, failed };
}

/** Where a part keeps what goes with it: memory for the unit tests, whose D1 syncs each write. */
function makeDirectory(project: string): string {
  const { bavail = 0, bsize = 0 } = existsSync(memory) ? statfsSync(memory) : {};
  const isInMemory = project === "unit" && bavail * bsize > memoryBytesMin;
  return mkdtempSync(join(isInMemory ? memory : tmpdir(), "miosa-test-"));
}

async function test(project: string, patterns: readonly string[]): Promise<Count> {
  const directory = makeDirectory(project);
  const output = join(directory, "report.json");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${output}`];
  const command = ["vitest", "run", "--project", project, ...reporters, ...patterns];
  const seconds = projects[project] ?? 0;
  const variables = project === "unit" ? { TMPDIR: directory } : {};
  const code = await run(command, seconds, variables);
  if (code === null) say(`${project}: did not end within ${seconds} s`);
  const { numPassedTests: passed, numFailedTests } = readReport(output);
  rmSync(directory, { recursive: true, force: true });
  // An error outside of any test, or no test at all, fails the part too.
  const isFailure = code !== 0 || passed + numFailedTests === 0;
  const failed = isFailure ? Math.max(1, numFailedTests) : numFailedTests;
  say(`${project}: ${passed} passed, ${failed} failed`);
  return { passed, failed };
}

function readReport(file: string): z.infer<typeof Report> {
  try {
    return Report.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return { numPassedTests: 0, numFailedTests: 0 };
  }
}

async function main([part, ...patterns]: readonly string[]): Promise<number> {
  const parts = ["check", ...Object.keys(projects)];
  if (part !== undefined && !parts.includes(part)) {
    say(`There is no part ${part}: name one of ${parts.join(", ")}, or none for all.`);
    return 2;
  }
  const sum = { passed: 0, failed: 0 };
  for (const name of part === undefined ? parts : [part]) {
    const { passed, failed } = name === "check" ? await check() : await test(name, patterns);
    sum.passed += passed;
    sum.failed += failed;
  }
  removeLeftovers();
  say(`${sum.passed} passed, ${sum.failed} failed`);
  return sum.failed === 0 ? 0 : 1;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    endRunning();
    removeLeftovers();
    process.exit(130);
  });
}
process.exitCode = await main(process.argv.slice(2));
