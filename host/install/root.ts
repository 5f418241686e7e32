// What needs root, said once: as it is for root, through sudo for anybody else.
import { join } from "node:path";
import { findProgram, runLong } from "./command.ts";

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
  // Without a terminal nobody can type the password that sudo may want.
  const flags = process.stdin.isTTY ? [] : ["-n"];
  await runLong(`${title} (with sudo)`, sudo, [...flags, ...command]).catch((error) => {
    throw new Error(`${error instanceof Error ? error.message : error}\n${remedy}`);
  });
}

/** A word for the shell. */
export function quote(word: string): string {
  return /^[\w./:@=+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
