// The last step of coming up: the facts for programs, and the lines to copy for people.
import { join } from "node:path";
import { readIfExists, writeAtomically } from "../../host/base/file.ts";
import { say } from "../install/command.ts";
import { quote } from "../install/root.ts";
import type { Ports } from "./ports.ts";
import { homePaths, type Settings } from "./settings.ts";

/** Pids that the launcher knows itself. */
export type OwnPids = Readonly<Record<"host" | "worker" | "workerd", number | undefined>>;

/** What `dev.json` says, beside pids. */
export interface Facts {
  readonly apiKey: string;
  readonly hostId: string;
  readonly ports: Ports;
  readonly psql: string;
}

/** The address of the API. */
export function apiUrl(settings: Settings): string {
  return `http://127.0.0.1:${settings.port}/api/v1`;
}

/** Writes `dev.json` (0600) in one step: the system is up. */
export function writeDevFile(settings: Settings, facts: Facts, own: OwnPids): void {
  const { host, dev } = homePaths(settings.home);
  const content = {
    api_url: apiUrl(settings),
    api_key: facts.apiKey,
    root_url: `http://127.0.0.1:${settings.port}`,
    host_url: `http://127.0.0.1:${facts.ports.http}`,
    host_id: facts.hostId,
    ports: { api: settings.port, ...facts.ports },
    pids: { launcher: process.pid, ...own },
    /** The host's directory as its own processes see it, by which they can be found. */
    host_directory: host,
    directory: settings.shown.home,
    psql: facts.psql,
  };
  writeAtomically(dev, `${JSON.stringify(content, null, 2)}\n`);
}

/** The first call, and psql into what it makes, to be pasted into a shell as they are. */
export function firstLines(settings: Settings, facts: Facts): { curl: string; psql: string } {
  const answer = quote(join(settings.shown.home, "first-project.json"));
  const curl = [
    `curl -s -X POST ${apiUrl(settings)}/projects`,
    `-H "Authorization: Bearer ${facts.apiKey}" -H "Content-Type: application/json"`,
    `-d '{"name": "Smile Dental", "data": {"postgres": true}}' | tee ${answer}; echo`,
  ].join(" ");
  const url = `$(sed 's/.*"database_url":"\\([^"]*\\)".*/\\1/' ${answer})`;
  return { curl, psql: `${facts.psql} "${url}" -c 'select current_database(), version()'` };
}

function versions(settings: Settings): string {
  const { binaries } = homePaths(settings.home);
  const record = JSON.parse(readIfExists(binaries) ?? "{}");
  return Object.entries(record.versions ?? {})
    .map(([name, version]) => `${name} ${version}`)
    .join(", ");
}

/** Tells the person at the terminal that all is up, and what to do next. */
export function announce(settings: Settings, facts: Facts, seconds: number): void {
  const { curl, psql } = firstLines(settings, facts);
  const root = `http://127.0.0.1:${settings.port}`;
  say(`
MIOSA Postgres is ready (${seconds.toFixed(1)} s; ${versions(settings)})

  API   ${apiUrl(settings)}      documentation ${root}/docs
  Key   ${facts.apiKey}

Create a project with a database:

  ${curl}

Reach its database:

  ${psql}

npm run demo plays the whole job. State and logs: ${settings.shown.home}. Ctrl-C stops everything.
`);
}
