// What one cluster takes on: backends, and the clients its poolers are ready for. PgBouncer caps
// neither for a cluster as a whole; that no client within its limit is refused follows from the
// sum of what its databases may have, which placement keeps within this plan.
import { readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { clientsPerBackend, smallBackends } from "../../src/contract/pool.ts";
import type { HostConfig } from "../base/config.ts";

/** What the plan is made from. */
export interface Machine {
  readonly memoryBytes: number;
  /** Open files one process may have. */
  readonly filesMax: number;
}

export interface Plan {
  /** Backends tenants may have at once, on both ports together. */
  readonly backendsMax: number;
  /** Postgres' `max_connections`. */
  readonly connectionsMax: number;
  /** Clients of one pooler at once. */
  readonly clientsMax: number;
}

/** Kept for superusers, the poolers' own look-ups, backups, loads of twins and checks. */
const reservedBackends = 100;
/** An idle backend takes 2.7 MB of its own; half of memory is for what the busy ones need. */
const bytesPerIdleBackend = 3 * 1024 ** 2;
/** A pooler's listeners, logs, console and look-ups. */
const reservedFiles = 100;

type Planned = Pick<HostConfig, "databases_max" | "backends_max" | "clients_max">;

/** Memory this program's control group may use, or the machine has. */
export function memoryBytes(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

/** Open files this program, and so a pooler, may have at most. */
function filesMax(): number {
  const limits = readFileSync("/proc/self/limits", "utf8");
  const hard = Number(/^Max open files\s+\S+\s+(\d+)/m.exec(limits)?.[1]);
  return Number.isFinite(hard) ? hard : 1_048_576;
}

function thisMachine(): Machine {
  return { memoryBytes: memoryBytes(), filesMax: filesMax() };
}

/**
 * Plans for as many small databases as the configuration wants, or as this machine carries; what
 * the configuration says of backends and clients is taken as it is.
 * @throws Error that names the setting and the remedy when the machine does not carry it
 */
export function planOf(config: Planned, machine: Machine = thisMachine()): Plan {
  const clientsEach = config.clients_max === undefined ? clientsPerBackend : 0;
  const files = machine.filesMax - reservedFiles - (config.clients_max ?? 0);
  const byFiles = Math.floor(files / (1 + clientsEach));
  const byMemory = Math.floor(machine.memoryBytes / 2 / bytesPerIdleBackend);
  const wanted = config.databases_max * smallBackends;
  const backendsMax = config.backends_max ?? Math.min(wanted, byMemory, byFiles);
  const clientsMax = config.clients_max ?? backendsMax * clientsPerBackend;
  const needed = clientsMax + backendsMax + reservedFiles;
  if (needed > machine.filesMax || backendsMax < smallBackends) {
    const most = `At most ${machine.filesMax} open files are allowed (\`ulimit -Hn\`)`;
    const least = Math.max(needed, smallBackends * (1 + clientsEach) + reservedFiles);
    throw new Error(
      `${most} and ${least} are needed: allow more, or set backends_max and clients_max lower.`,
    );
  }
  return { backendsMax, connectionsMax: backendsMax + reservedBackends, clientsMax };
}
