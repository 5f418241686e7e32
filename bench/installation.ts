// A whole system of the bench's own, in a directory that is removed afterwards, also after a bench
// that was killed: the next one sees to that.
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Binaries } from "../host/config.ts";
import { startSystem } from "../test/support/system.ts";
import { onEnd } from "./ending.ts";
import { isToy } from "./size.ts";

/** A running system, as a bench sees it. */
export interface Installation {
  readonly apiUrl: string;
  readonly apiKey: string;
  /** Where the host program's HTTP is. */
  readonly hostUrl: string;
  /** The process id of the host program as it is now. */
  readonly hostPid: () => number;
  /** Postgres' own socket directory and superuser, for the peers. */
  readonly superuser: { readonly host: string; readonly user: string; readonly password: string };
  readonly binaries: Binaries;
  /** The settings of the host program. */
  readonly hostFile: string;
}

/** How the host program was started: what a peer needs to work in its place. */
export interface HostProcess {
  /** Before a command: the host's own file system and user. */
  readonly prefix: readonly string[];
  readonly node: string;
  readonly repository: string;
  readonly hostFile: string;
}

const hostMain = "/host/main.ts";

/** Finds that out of a running one. */
export function hostProcess({ hostPid, superuser }: Installation): HostProcess {
  const pid = hostPid();
  const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  const main = words.find((word) => word.endsWith(hostMain)) ?? "";
  const { uid, gid } = statSync(superuser.host);
  const enter = ["nsenter", `--target=${pid}`, "--mount", "--"];
  const become = ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--"];
  return {
    prefix: process.getuid?.() === 0 ? [...enter, ...become] : [],
    node: words[0] ?? "",
    repository: main.slice(0, -hostMain.length),
    hostFile: words[words.indexOf("--config") + 1] ?? "",
  };
}

/** What its cluster is planned for. */
interface Plan {
  readonly backendsMax?: number;
  readonly clientsMax?: number;
  /** It is not shared in a try-out: what it is started with matters. */
  readonly isAlone?: boolean;
}

const toyDatabases = 60;
// A segment is archived at the latest after so long: nobody waits a minute in a try-out.
const toyBackup = { archive_timeout_seconds: 2 };
let shared: Promise<Installation> | undefined;

/**
 * Starts a system whose cluster takes as many databases as a bench makes: each adds to the memory
 * Postgres maps when it starts. It ends with the figure; those that are tried out share one.
 */
export function install(databasesMax = 1500, plan: Plan = {}): Promise<Installation> {
  if (!isToy) return start(databasesMax, plan);
  if (plan.isAlone) return start(toyDatabases, {});
  shared ??= start(toyDatabases, {});
  return shared;
}

async function start(
  databasesMax: number,
  { backendsMax = Math.min(14_000, 8 * databasesMax), clientsMax = 5000 }: Plan,
): Promise<Installation> {
  const backup = isToy ? { backup: toyBackup } : {};
  const system = await startSystem({ databasesMax, backendsMax, clientsMax, ...backup });
  onEnd(system.remove);
  const read = (path: string) => JSON.parse(readFileSync(join(system.home, path), "utf8"));
  const { api_url: apiUrl, api_key: apiKey, host_url: hostUrl } = system.dev();
  const { user, password } = read("cluster/control.json");
  return {
    apiUrl,
    apiKey,
    hostUrl,
    hostPid: () => system.pid("host"),
    superuser: { host: join(system.home, "cluster", "run"), user, password },
    // As this process sees them; the service user may see them elsewhere.
    binaries: read("binaries.json").binaries,
    hostFile: join(system.home, "host.json"),
  };
}
