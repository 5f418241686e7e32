// `npm run test:stacks [-- name…]`: real client stacks against a whole system, each on exactly the
// environment a sandbox gets, with its defaults. What cannot be installed is not run, not passed.
//
// Closes with one line, `N passed, N failed`; nothing that passed is a failure too.
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import { clientScript } from "../support/archive.ts";
import { call, createProject } from "../support/client.ts";
import { removeLeftovers } from "../support/process.ts";
import { type RunningSystem, startSystem } from "../support/system.ts";
import { type Command, type Phase, phases, type Stack, stacks } from "./stack.ts";

const repository = resolve(import.meta.dirname, "../..");
// What is installed stays for the next run.
const installed = join(repository, ".miosa", "stacks");
const installMilliseconds = 900_000;
const phaseMilliseconds = 120_000;

/** What one stack came to. */
interface Result {
  readonly name: string;
  readonly version: string;
  readonly verdict: "passed" | "failed" | "not run";
  readonly phases: Partial<Record<Phase, "ok" | "failed">>;
  /** What the command that failed said last. */
  readonly reason: string;
}

type Variables = Readonly<Record<string, string>>;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/**
 * The PATH: the Node that runs this one comes first, then Postgres' own clients of the server's
 * version, since the machine's may be older.
 */
function pathOf(system: RunningSystem): string {
  const bin = join(system.home, "clients");
  mkdirSync(bin, { recursive: true });
  for (const program of ["psql", "pg_dump", "pg_restore"]) {
    writeFileSync(join(bin, program), clientScript(system, program), { mode: 0o755 });
  }
  return [dirname(process.execPath), bin, process.env.PATH ?? ""].join(delimiter);
}

/** Runs a command to its end: its output, or rejects with what it said last. */
function run(
  [program, ...words]: Command,
  cwd: string,
  env: NodeJS.ProcessEnv,
  milliseconds: number,
): Promise<string> {
  const child = spawn(program, words, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const timer = setTimeout(() => child.kill("SIGKILL"), milliseconds);
  let output = "";
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    said += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(timer);
      if (code === 0) resolve(output);
      else reject(new Error(`${[program, ...words].join(" ")} (${code}): ${said.slice(-2000)}`));
    });
  });
}

/** What a new project's sandbox boots with: the whole environment of a stack, but for tools. */
async function bootEnv(system: RunningSystem, name: string): Promise<Variables> {
  const { project } = await createProject(system, { name });
  const url = `/projects/${project.id}/environments/production/boot-env`;
  const { status, text, body } = await call(system, "GET", url);
  if (status !== 200) throw new Error(`No boot env: ${status} ${text}`);
  return body.data.env;
}

async function install({ folder, install }: Stack, path: string): Promise<string> {
  const directory = join(installed, folder);
  mkdirSync(directory, { recursive: true });
  cpSync(join(import.meta.dirname, folder), directory, { recursive: true });
  // The npm that started this passes its own project's settings on, which a stack's is not to have.
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("npm_"));
  const env = { ...Object.fromEntries(own), PATH: path };
  for (const command of install) await run(command, directory, env, installMilliseconds);
  return directory;
}

async function play(system: RunningSystem, stack: Stack, path: string): Promise<Result> {
  const result = { name: stack.name, version: "", verdict: "not run", phases: {} } as const;
  let directory: string;
  try {
    directory = await install(stack, path);
  } catch (error) {
    return { ...result, reason: String(error) };
  }
  const boot = await bootEnv(system, stack.name);
  const env = { PATH: path, HOME: process.env.HOME, LANG: "C.UTF-8", ...boot };
  const done: Partial<Record<Phase, "ok" | "failed">> = {};
  let version = "";
  try {
    version = (await run([...stack.program, "version"], directory, env, phaseMilliseconds)).trim();
    for (const phase of phases.filter((each) => stack.lacks?.includes(each) !== true)) {
      done[phase] = "failed";
      for (const command of stack.tools?.[phase] ?? [[...stack.program, phase] as const]) {
        await run(command, directory, env, phaseMilliseconds);
      }
      done[phase] = "ok";
    }
  } catch (error) {
    return { ...result, version, verdict: "failed", phases: done, reason: String(error) };
  }
  return { ...result, version, verdict: "passed", phases: done, reason: "" };
}

function print(results: readonly Result[]): void {
  const rows = results.map((result) => [
    result.name,
    result.version,
    ...phases.map((phase) => result.phases[phase] ?? "-"),
    result.verdict,
  ]);
  const table = [["stack", "version", ...phases, "verdict"], ...rows];
  const widths = table[0]?.map((_, column) =>
    Math.max(...table.map((row) => row[column]?.length ?? 0)),
  );
  for (const row of table) {
    say(
      row
        .map((cell, column) => cell.padEnd(widths?.[column] ?? 0))
        .join("  ")
        .trimEnd(),
    );
  }
}

async function main(names: readonly string[]): Promise<number> {
  const isNamed = ({ name }: Stack) => names.some((each) => name.toLowerCase().includes(each));
  const chosen = names.length === 0 ? stacks : stacks.filter(isNamed);
  const system = await startSystem();
  const results: Result[] = [];
  try {
    const path = pathOf(system);
    for (const stack of chosen) {
      const result = await play(system, stack, path);
      say(`${result.name}: ${result.verdict}${result.reason && `\n${result.reason}\n`}`);
      results.push(result);
    }
  } finally {
    await system.remove();
  }
  print(results);
  const count = (verdict: Result["verdict"]) =>
    results.filter((result) => result.verdict === verdict).length;
  if (count("not run") > 0) say(`${count("not run")} not run`);
  say(`${count("passed")} passed, ${count("failed")} failed`);
  return count("failed") === 0 && count("passed") > 0 ? 0 : 1;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    removeLeftovers();
    process.exit(130);
  });
}
process.exitCode = await main(process.argv.slice(2).map((name) => name.toLowerCase()));
