// A control group of the controller cpu, delegated to the user the test hosts run as.
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";

const nobody = 65_534;
const mount = "/sys/fs/cgroup";

/** Where groups with weights are made on this machine; undefined where root is not there to. */
function findParent(): string | undefined {
  const controllers = join(mount, "cgroup.subtree_control");
  if (process.getuid?.() !== 0) return undefined;
  if (!existsSync(controllers))
    return existsSync(join(mount, "cpu/tasks")) ? `${mount}/cpu` : undefined;
  return /\bcpu\b/.test(readFileSync(controllers, "utf8")) ? mount : undefined;
}

/** What only root can delegate, where it is root of the machine. */
export const cgroupParent = findParent();

/** Makes a group and gives it away. */
export function delegateCgroup(parent: string): string {
  const cgroup = join(parent, `miosa-test-${process.pid}`);
  mkdirSync(cgroup);
  for (const name of ["", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads", "tasks"]) {
    const path = join(cgroup, name);
    if (existsSync(path)) chownSync(path, nobody, nobody);
  }
  return cgroup;
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
