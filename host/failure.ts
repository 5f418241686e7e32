import { readdirSync, readFileSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { readIfExists } from "./file.ts";
import { entriesOf } from "./log-line.ts";

const fullBelowBytes = 32 * 1024 * 1024;
const ownFatal =
  /^.{27} \[\d+\] \w{5} \((?:postmaster|startup|checkpointer)\) (?:FATAL|PANIC): {2}(.*)/;

/** The last lines of a file that a server wrote, on one line; empty when it wrote none. */
export function lastWords(file: string): string {
  const lines = (readIfExists(file) ?? "").trim().split("\n");
  return lines.slice(-4).join(" ").slice(-1000);
}

/** What the server itself, rather than a connection to it, last complained of in its log. */
export function lastPostgresFatal(logDirectory: string): string {
  const newest = newestLog(logDirectory);
  if (newest === undefined) return "";
  const entries = entriesOf(readFileSync(newest, "utf8").trim());
  const fatal = entries.findLast((entry) => ownFatal.test(entry)) ?? "";
  return ownFatal.exec(fatal)?.[1] ?? "";
}

const logTailBytes = 64 * 1024;
const backendDeath =
  /\((?:postmaster)\) LOG: {2}.*process.* (was terminated by signal .*|exited with exit code .*)/;

/** How the last backend ended that took the others along, in the words of Postgres' log. */
export function lastBackendDeath(logDirectory: string): string {
  const file = newestLog(logDirectory);
  if (file === undefined) return "its log does not say why";
  const text = readFileSync(file, "utf8").slice(-logTailBytes);
  const line = text.split("\n").findLast((each) => backendDeath.test(each)) ?? "";
  return backendDeath.exec(line)?.[1] ?? "its log does not say why";
}

function newestLog(logDirectory: string): string | undefined {
  const newest = readdirSync(logDirectory)
    .filter((name) => /^postgres-.*\.log$/.test(name))
    .sort()
    .at(-1);
  return newest === undefined ? undefined : join(logDirectory, newest);
}

/** A sentence when the disk is full, which explains most other complaints. */
export function diskProblem(directory: string): string | undefined {
  const { bavail, bsize } = statfsSync(directory);
  if (bavail * bsize >= fullBelowBytes) return undefined;
  return `The disk of ${directory} is full: free some space, then start the host again.`;
}

/** A server that did not come up, with what it said about it. */
export function startFailure(name: string, said: string, logDirectory: string): Error {
  const disk = diskProblem(logDirectory);
  const reason = `${name} ended while starting: ${said || `look into ${logDirectory}`}`;
  return new Error(disk === undefined ? reason : `${reason} ${disk}`);
}
