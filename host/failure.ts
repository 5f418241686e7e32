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
  const newest = readdirSync(logDirectory)
    .filter((name) => /^postgres-.*\.log$/.test(name))
    .sort()
    .at(-1);
  if (newest === undefined) return "";
  const entries = entriesOf(readFileSync(join(logDirectory, newest), "utf8").trim());
  const fatal = entries.findLast((entry) => ownFatal.test(entry)) ?? "";
  return ownFatal.exec(fatal)?.[1] ?? "";
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
