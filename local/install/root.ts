// What needs root, said once: as it is for root, through sudo for anybody else.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { findProgram, outputOf, runLong, say } from "./command.ts";

const scripts = import.meta.dirname;

/** True for root itself. */
export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Runs a script of this folder as root; rejects with the line to type when that cannot be had. */
export async function runAsRoot(title: string, script: string, args: string[]): Promise<void> {
  const command = ["/bin/sh", join(scripts, script), ...args];
  if (isRoot()) return runLong(title, "/bin/sh", command.slice(1));
  const sudo = findProgram("sudo");
  const remedy = `Run this as root, then start again:\n  ${command.map(quote).join(" ")}`;
  if (sudo === undefined) throw new Error(`${title}: needs root, and sudo is not here. ${remedy}`);
  askForPassword(sudo, title);
  await runLong(`${title} (with sudo)`, sudo, ["-n", ...command]).catch((error) => {
    throw new Error(`${error instanceof Error ? error.message : error}\n${remedy}`);
  });
}

// Before anything else is printed; without a terminal nobody could type it.
function askForPassword(sudo: string, title: string): void {
  if (outputOf(sudo, ["-n", "true"]) !== undefined || !process.stdin.isTTY) return;
  say(`${title} needs root: sudo asks for your password.`);
  spawnSync(sudo, ["-v"], { stdio: "inherit" });
}

/** A word for the shell. */
export function quote(word: string): string {
  return /^[\w./:@=+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
