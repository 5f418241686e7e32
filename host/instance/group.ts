// What an instance may take of the machine, held by the kernel for all of its processes together,
// where the operator delegates control groups: memory, processors, and how many processes. Version
// 2 has one tree for all of it; version 1 has one for each, and any of them may be delegated.
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../base/log.ts";
import { type InstanceSize, processesOfOne } from "./size.ts";

/** What each processor is worth in version 2 and in version 1, when all are wanted at once. */
const weightPerProcessor = { "cpu.weight": 100, "cpu.shares": 1024 } as const;

/** Groups of a host's instances. */
export interface Groups {
  /** Makes those of an instance, or changes what they hold it to. @returns files to join them by */
  hold(name: string, size: InstanceSize): readonly string[];
  /** Removes those of an instance that has no process; what is in use stays. */
  remove(name: string): void;
}

/** What each file of a group is set to; one that a tree does not have is left out. */
function settings(size: InstanceSize): Record<string, number> {
  const { memoryBytes, processors } = size;
  return {
    // The kernel ends the process that asked for more, not all of them: Postgres' own limit on each
    // process is lower, so that mostly a query gets an error instead.
    "memory.max": memoryBytes,
    "memory.limit_in_bytes": memoryBytes,
    // Nothing of it goes to a swap that others wait for.
    "memory.swap.max": 0,
    "cpu.weight": Math.round(processors * weightPerProcessor["cpu.weight"]),
    "cpu.shares": Math.round(processors * weightPerProcessor["cpu.shares"]),
    "pids.max": processesOfOne(size),
  };
}

/** Has a tree of version 2 give limits to groups in it. */
function openTree(tree: string): void {
  const controllers = join(tree, "cgroup.controllers");
  if (!existsSync(controllers)) return;
  const given = readFileSync(controllers, "utf8").split(/\s+/);
  const wanted = ["memory", "cpu", "pids"].filter((name) => given.includes(name));
  writeFileSync(join(tree, "cgroup.subtree_control"), wanted.map((name) => `+${name}`).join(" "));
}

/**
 * Opens the trees that were delegated; none is as good.
 * @throws Error that names the one which is not ours to use
 */
export function openGroups(trees: readonly string[]): Groups {
  for (const tree of trees) {
    try {
      openTree(tree);
    } catch (error) {
      throw new Error(`cgroups: ${tree} cannot be used: ${messageOf(error)}. Delegate it.`);
    }
  }
  return {
    hold(name, size) {
      for (const tree of trees) {
        const group = join(tree, name);
        mkdirSync(group, { recursive: true });
        for (const [file, value] of Object.entries(settings(size))) {
          if (existsSync(join(group, file))) writeFileSync(join(group, file), String(value));
        }
      }
      return trees.map((tree) => join(tree, name, "cgroup.procs"));
    },
    remove(name) {
      for (const tree of trees) {
        try {
          rmdirSync(join(tree, name));
        } catch (error) {
          const { code = "" } = error as NodeJS.ErrnoException;
          if (!["ENOENT", "EBUSY"].includes(code)) throw error;
        }
      }
    },
  };
}
