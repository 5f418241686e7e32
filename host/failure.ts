import { readdirSync, readFileSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { readIfExists } from "./file.ts";

const fullBelowBytes = 32 * 1024 * 1024;

/** The last lines of a file that a server wrote, on one line; empty when it wrote none. */
export function lastWords(file: string): string {
  const lines = (readIfExists(file) ?? "").trim().split("\n");
  return lines.slice(-4).join(" ").slice(-1000);
}

/** What the server itself, rather than a connection to it, last complained of in its log. */
export function lastPostgresFatal(logDirectory: string): string {
  const newest = readdirSync(logDirectory)
    .filter((name) => /^postgres-.*\.json$/.test(name))
    .sort()
    .at(-1);
  if (newest === undefined) return "";
  const lines = readFileSync(join(logDirectory, newest), "utf8").trim().split("\n");
  const fatal = lines.findLast(
    (line) =>
      /"error_severity":"(FATAL|PANIC)"/.test(line) &&
      /"backend_type":"(postmaster|startup|checkpointer)"/.test(line),
  );
  return fatal === undefined ? "" : String(JSON.parse(fatal).message);
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
