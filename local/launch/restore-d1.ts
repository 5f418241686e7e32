// Brings a copy of D1 back: `npm run restore-d1 -- [--copy FILE]`, the newest one by default, into
// the state directory MIOSA_HOME names, whose secrets.json and host/ are back already.
import { mkdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { say } from "../install/command.ts";
import { listExports, restoreD1 } from "./d1-export.ts";
import { findRunning } from "./lock.ts";
import { keepSecrets } from "./secrets.ts";
import { homePaths, readSettings } from "./settings.ts";

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { copy: { type: "string" } } });
  const { home } = readSettings(process.env);
  const pid = await findRunning(home);
  if (pid !== undefined) throw new Error(`The system runs (process ${pid}): stop it first.`);
  const copy = values.copy ?? listExports(home).at(-1);
  if (copy === undefined) throw new Error(`${homePaths(home).host} has no copy of D1.`);
  mkdirSync(homePaths(home).state, { recursive: true, mode: 0o700 });
  await restoreD1(home, keepSecrets(homePaths(home).secrets), copy);
  say(`Brought ${copy} back.`);
}

process.umask(0o077);
try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
