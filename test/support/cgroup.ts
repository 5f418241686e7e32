// A control group of the controller cpu, delegated to the user the test hosts run as.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";

const _nobody = 65_534;
const mount = "/sys/fs/cgroup";

/** Where groups with weights are made on this machine; undefined where root is not there to. */
function _findParent(): string | undefined {
  const controllers = join(mount, "cgroup.subtree_control");
  if (process.getuid?.() !== 0) return undefined;
  if (!existsSync(controllers))
    return existsSync(join(mount, "cpu/tasks")) ? `${mount}/cpu` : undefined;
  return /\bcpu\b/.test(readFileSync(controllers, "utf8")) ? mount : undefined;
}

/** Trees of this machine in which groups can be limited, of version 1; none where root is not. */
export const cgroupTrees: readonly string[] =
  process.getuid?.() === 0
    ? ["memory", "cpu", "pids"]
        .map((name) => join(mount, name))
        .filter((tree) => existsSync(join(tree, "tasks")))
    : [];

/** Makes a group in a tree, which limits nothing itself. */
export function makeCgroup(tree: string, name: string): string {
  const cgroup = join(tree, `miosa-test-${process.pid}-${name}`);
  mkdirSync(cgroup);
  return cgroup;
}

/** Removes it with its groups, once nobody is in them. */
export function removeCgroup(cgroup: string): void {
  for (const entry of readdirSync(cgroup, { withFileTypes: true })) {
    if (entry.isDirectory()) rmdirSync(join(cgroup, entry.name));
  }
  rmdirSync(cgroup);
}
