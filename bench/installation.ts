// A whole system of the bench's own, in a directory that is removed afterwards, also after a bench
// that was killed: the next one sees to that.
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Binaries } from "../host/base/binaries.ts";
import { type OwnSystem, startSystem } from "../test/support/system.ts";
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
  readonly poolerPid: (mode: "transaction" | "session") => number;
  readonly binaries: Binaries;
  /** The host's directory. */
  readonly directory: string;
  /** What is read of it by test helpers. */
  readonly system: OwnSystem;
}

/** Before a command: the file system of the host program's processes, and their user. */
export function besideHost({ hostPid }: Installation): readonly string[] {
  if (process.getuid?.() !== 0) return [];
  const pid = hostPid();
  const { uid, gid } = statSync(`/proc/${pid}`);
  const become = ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--"];
  return ["nsenter", `--target=${pid}`, "--mount", "--", ...become];
}

/** What its host is planned for. */
interface Plan {
  readonly backendsMax?: number;
  readonly clientsMax?: number;
  /** It is not shared in a try-out: what it is started with matters. */
  readonly isAlone?: boolean;
}

const toyDatabases = 60;
let shared: Promise<Installation> | undefined;

/**
 * Starts a system whose host takes as many databases as a bench makes. It ends with the figure;
 * those that are tried out share one.
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
  const system = await startSystem({ databasesMax, backendsMax, clientsMax });
  onEnd(system.remove);
  const read = (path: string) => JSON.parse(readFileSync(join(system.home, path), "utf8"));
  const { api_url: apiUrl, api_key: apiKey, host_url: hostUrl } = system.dev();
  return {
    apiUrl,
    apiKey,
    hostUrl,
    hostPid: () => system.pid("host"),
    poolerPid: (mode) => system.pid(`pgbouncer_${mode}`),
    // As this process sees them; the service user may see them elsewhere.
    binaries: read("binaries.json").binaries,
    directory: join(system.home, "host"),
    system,
  };
}
