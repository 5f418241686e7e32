// Shares of the processors, where the operator delegates a cgroup: a group for each database, with
// the weight of its size, and one of ours for Postgres itself, the poolers and this program.
// Without it the kernel is fair to processes: who has more backends has more of the processors.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { defaultSettings } from "../src/contract/setting.ts";
import { log, messageOf } from "./log.ts";

/** The group of all that serves everybody; systemd's DelegateSubgroup has to name it. */
const platformGroup = "platform";
/** As much as ten small databases: every query of every tenant comes through the poolers. */
const platformWeight = 1000;

/** Who has which share. */
export interface Weights {
  /** Counts a process with its database, or with what serves everybody. */
  place(pid: number, database: string | null): void;
  /** Gives a database another weight than that of the size `small`. */
  weigh(database: string, weight: number): void;
  /** Removes the groups nobody is in. */
  tidy(): void;
}

/** What a host does that was delegated nothing. */
export const noWeights: Weights = {
  place: () => undefined,
  weigh: () => undefined,
  tidy: () => undefined,
};

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? "";

/** How a group is given its weight: version 2 of cgroups counts from 100, version 1 from 1,024. */
function weightFile(cgroup: string): { readonly name: string; readonly usual: number } {
  const controllers = join(cgroup, "cgroup.controllers");
  if (!existsSync(controllers)) {
    if (existsSync(join(cgroup, "cpu.shares"))) return { name: "cpu.shares", usual: 1024 };
    throw new Error("it is no control group with the controller cpu");
  }
  if (/\bcpu\b/.test(readFileSync(controllers, "utf8"))) return { name: "cpu.weight", usual: 100 };
  throw new Error("its controllers are without cpu");
}

function createGroups(cgroup: string) {
  const { name, usual } = weightFile(cgroup);
  const path = (group: string) => join(cgroup, group);
  return {
    has: (group: string) => existsSync(path(group)),
    weigh(group: string, weight: number): void {
      writeFileSync(join(path(group), name), String(Math.round((weight / 100) * usual)));
    },
    make: (group: string) => mkdirSync(path(group), { recursive: true, mode: 0o755 }),
    /** False for a process that has ended. */
    move(pid: number, group: string): boolean {
      try {
        writeFileSync(join(path(group), "cgroup.procs"), String(pid));
        return true;
      } catch (error) {
        if (codeOf(error) === "ESRCH") return false;
        throw error;
      }
    },
    /** Version 2 gives weights to groups whose parent has no process. */
    open(): void {
      const switches = join(cgroup, "cgroup.subtree_control");
      if (!existsSync(switches)) return;
      const own = readFileSync(join(cgroup, "cgroup.procs"), "utf8").split("\n").map(Number);
      for (const pid of own.filter(Boolean)) this.move(pid, platformGroup);
      writeFileSync(switches, "+cpu");
    },
    removeEmpty(): void {
      for (const entry of readdirSync(cgroup, { withFileTypes: true })) {
        if (!entry.isDirectory() || entry.name === platformGroup) continue;
        try {
          rmdirSync(path(entry.name));
        } catch (error) {
          if (codeOf(error) !== "EBUSY") throw error;
        }
      }
    },
  };
}

function createWeights(cgroup: string, wanted: ReadonlyMap<string, number>): Weights {
  const groups = createGroups(cgroup);
  const weights = new Map(wanted);
  groups.make(platformGroup);
  groups.open();
  groups.weigh(platformGroup, platformWeight);
  groups.move(process.pid, platformGroup);
  let isFailing = false;

  /** Nothing else ends because a share cannot be given. */
  function attempt(work: () => void): void {
    try {
      work();
      isFailing = false;
    } catch (error) {
      if (!isFailing) log("error", `Cannot give databases their weights: ${messageOf(error)}`);
      isFailing = true;
    }
  }

  return {
    place: (pid, database) =>
      attempt(() => {
        if (database !== null) {
          groups.make(database);
          groups.weigh(database, weights.get(database) ?? defaultSettings.cpu_weight);
        }
        groups.move(pid, database ?? platformGroup);
      }),
    weigh: (database, weight) =>
      attempt(() => {
        weights.set(database, weight);
        if (groups.has(database)) groups.weigh(database, weight);
      }),
    tidy: () => attempt(() => groups.removeEmpty()),
  };
}

/** Takes the groups into use; throws with words when they are not ours to use. */
export function openWeights(
  cgroup: string | undefined,
  wanted: ReadonlyMap<string, number>,
): Weights {
  if (cgroup === undefined) return noWeights;
  try {
    return createWeights(cgroup, wanted);
  } catch (error) {
    const remedy = "Delegate it to this user and start this program in it, or leave it out.";
    throw new Error(`cgroup: ${cgroup} cannot be used: ${messageOf(error)}. ${remedy}`);
  }
}
