// `npm test`: the checks of the whole house, then every test, each project in a process of its own.
// In a run of all, end-to-end tests that start systems or hosts of their own run beside the others,
// as they mostly wait.
//
//   npm test                            all of it
//   npm test -- check|unit|node|e2e|hosts   one part
//   npm test -- unit [pattern]          files of a part whose path holds the pattern
//
// Closes with one line, `N passed, N failed`; a part that runs no test has failed.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, statfsSync } from "node:fs";
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
  "types of host, local and bench": ["tsc", "-p", "host/tsconfig.json"],
  "types of tests in workerd": ["tsc", "-p", "test/tsconfig.json"],
  "types of tests in Node": ["tsc", "-p", "test/tsconfig.node.json"],
  "dead code and dependencies": ["knip"],
};
const checkSeconds = 180;
// They find or install the servers first; the others come to theirs much later.
const beside = ["e2e-own", "e2e-instance"];

// A project that hangs is ended, since vitest itself would not; e2e may build a root file system.
const projects: Readonly<Record<string, number>> = {
  unit: 1200,
  node: 300,
  "e2e-shared": 2400,
  "e2e-own": 4800,
  "e2e-instance": 2400,
};
const parts: Readonly<Record<string, readonly string[]>> = {
  check: ["check"],
  unit: ["unit"],
  node: ["node"],
  e2e: ["e2e-instance", "e2e-shared", "e2e-own"],
  hosts: ["e2e-instance"],
};

const memory = "/dev/shm";
const memoryBytesMin = 1024 ** 3;

const Report = z.object({ numPassedTests: z.int(), numFailedTests: z.int() });

const running = new Set<ChildProcess>();

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Runs a program of node_modules in its own process group; null when it was ended for its time. */
async function run(
  command: readonly string[],
  seconds: number,
  variables: NodeJS.ProcessEnv = {},
  output: number | "inherit" = "inherit",
): Promise<number | null> {
  const [program = "", ...args] = command;
  const bin = join(repository, "node_modules", ".bin");
  const child = spawn(program, args, {
    cwd: repository,
    env: { ...process.env, ...variables, PATH: `${bin}${delimiter}${process.env.PATH ?? ""}` },
    stdio: ["ignore", output, output],
    detached: true,
  });
  running.add(child);
  const timer = setTimeout(() => end(child), seconds * 1000);
  const [code] = await once(child, "exit");
  clearTimeout(timer);
  running.delete(child);
  return code;
}

function end({ pid }: ChildProcess): void {
  if (pid !== undefined) process.kill(-pid, "SIGKILL");
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

/** Runs the tests of a project; one that runs beside others says all of it at its end. */
async function test(
  project: string,
  patterns: readonly string[],
  isBeside = false,
): Promise<Count> {
  const directory = makeDirectory(project);
  const said = join(directory, "said");
  const file = isBeside ? openSync(said, "w") : "inherit";
  const output = join(directory, "report.json");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${output}`];
  const none = patterns.length > 0 ? ["--passWithNoTests"] : [];
  const command = ["vitest", "run", "--project", project, ...reporters, ...none, ...patterns];
  const seconds = projects[project] ?? 0;
  const variables = project === "unit" ? { TMPDIR: directory } : {};
  const code = await run(command, seconds, variables, file);
  if (isBeside) process.stdout.write(readFileSync(said));
  if (code === null) say(`${project}: did not end within ${seconds} s`);
  const { numPassedTests: passed, numFailedTests } = readReport(output);
  rmSync(directory, { recursive: true, force: true });
  // An error outside of any test, or no test at all, fails the part too; a pattern may name none.
  const isFailure = code !== 0 || (patterns.length === 0 && passed + numFailedTests === 0);
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

const add = (one: Count, other: Count) => ({
  passed: one.passed + other.passed,
  failed: one.failed + other.failed,
});

async function inTurn(
  names: readonly string[],
  patterns: readonly string[],
  isBeside = false,
): Promise<Count> {
  let sum: Count = { passed: 0, failed: 0 };
  for (const name of names) {
    sum = add(sum, name === "check" ? await check() : await test(name, patterns, isBeside));
  }
  return sum;
}

async function main([part, ...patterns]: readonly string[]): Promise<number> {
  if (part !== undefined && parts[part] === undefined) {
    say(`There is no part ${part}: name one of ${Object.keys(parts).join(", ")}, or none for all.`);
    return 2;
  }
  const names =
    part === undefined ? [...new Set(Object.values(parts).flat())] : (parts[part] ?? []);
  const lanes = part === undefined ? names.filter((name) => !beside.includes(name)) : names;
  const counts = await Promise.all([
    inTurn(lanes, patterns),
    part === undefined ? inTurn(beside, patterns, true) : { passed: 0, failed: 0 },
  ]);
  const sum = counts.reduce(add);
  removeLeftovers();
  say(`${sum.passed} passed, ${sum.failed} failed`);
  // Patterns that name no test anywhere have run none.
  return sum.failed === 0 && sum.passed > 0 ? 0 : 1;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    for (const child of running) end(child);
    removeLeftovers();
    process.exit(130);
  });
}
process.exitCode = await main(process.argv.slice(2));
