// What processes cost: their share of memory, and the processor time they took.
import { readdirSync, readFileSync } from "node:fs";

/** Of a group of processes. */
export interface Cost {
  readonly processes: number;
  /** Bytes of memory that are their share. */
  readonly bytes: number;
  /** Milliseconds of processor time since they began, with their children that ended. */
  readonly milliseconds: number;
}

const millisecondsPerTick = 10;

function costOf(pid: string): { readonly bytes: number; readonly ticks: number } {
  try {
    const pss = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1];
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0);
    return { bytes: Number(pss ?? 0) * 1024, ticks };
  } catch {
    // It has ended meanwhile.
    return { bytes: 0, ticks: 0 };
  }
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

/** Processes whose command line has a word, titles of backends included. */
export function costOfAll(word: string | RegExp): Cost {
  const isMeant = (pid: string) =>
    /^\d+$/.test(pid) && Number(pid) !== process.pid && commandOf(pid).search(word) >= 0;
  const costs = readdirSync("/proc").filter(isMeant).map(costOf);
  const sum = (value: (cost: (typeof costs)[number]) => number) =>
    costs.reduce((total, cost) => total + value(cost), 0);
  return {
    processes: costs.length,
    bytes: sum(({ bytes }) => bytes),
    milliseconds: sum(({ ticks }) => ticks) * millisecondsPerTick,
  };
}

/** Bytes the machine has for whoever wants them. */
export function availableBytes(): number {
  const text = readFileSync("/proc/meminfo", "utf8");
  return Number(/^MemAvailable:\s+(\d+)/m.exec(text)?.[1] ?? 0) * 1024;
}
