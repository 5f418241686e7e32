// What happened to the servers that nobody asked for: crashes, hangs, restarts. The control plane
// reads them and makes alerts of them.
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Incident } from "../../src/contract/incident.ts";
import { openJsonLines } from "../base/json-lines.ts";
import { log } from "../base/log.ts";

const keptMax = 500;

/** Writes down what happened. */
export type TellIncident = (
  program: Incident["program"],
  what: Incident["what"],
  detail: string,
  /** Whose Postgres it was, where each database has its own. */
  database?: string,
) => void;

/** Opens the incidents kept in a file. */
export function openIncidents(file: string, now: () => number) {
  const { add, after, lastSeq } = openJsonLines(file, Incident, keptMax);
  const tell: TellIncident = (program, what, detail, database) => {
    log("warn", `${program}: ${what}: ${detail}`, database === undefined ? {} : { database });
    const of = database === undefined ? {} : { database };
    add({ program, what, detail, ...of, at: new Date(now()).toISOString() });
  };
  return { tell, after, lastSeq };
}

const stillLookMilliseconds = 500;
// Longer than collecting garbage or a starved machine keeps it.
const stillMilliseconds = 2000;

/** Notices that this program itself stood still, as one does that was halted by a signal. */
export function watchStandstill(tell: TellIncident): void {
  let before = performance.now();
  setInterval(() => {
    const still = performance.now() - before - stillLookMilliseconds;
    before = performance.now();
    if (still < stillMilliseconds) return;
    const seconds = (still / 1000).toFixed(1);
    tell("host", "halted", `The host program stood still for ${seconds} s.`);
  }, stillLookMilliseconds).unref();
}

/** How many processes the kernel has ended on this machine because memory ran out. */
export function countMemoryDeaths(): number {
  try {
    return Number(/^oom_kill (\d+)$/m.exec(readFileSync("/proc/vmstat", "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/**
 * A file that is there while the host program runs: one that is there at a start was left by a
 * program that did not end in order. `ended` takes it away.
 */
export function markRunning(file: string, tell: TellIncident): { readonly ended: () => void } {
  if (existsSync(file)) {
    const detail = "The host program ended without a stop, and was started again.";
    tell("host", "crashed", detail);
  }
  writeFileSync(file, `${process.pid}\n`, { mode: 0o600 });
  return { ended: () => rmSync(file, { force: true }) };
}
