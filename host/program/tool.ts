// Programs of the host's own that see nothing of a tenant's: where a root file system has them,
// they see that and one directory.

import type { Binaries } from "../base/binaries.ts";
import { type CommandLine, run } from "../base/spawn.ts";
import { programsOf } from "../instance/programs.ts";

/** Runs one to its end. `path` is what the box shows. @returns what it said */
export function runTool(
  binaries: Binaries,
  [path, ...args]: CommandLine,
  writable?: string,
): Promise<string> {
  const { bwrap, mounts } = programsOf(binaries);
  const own = writable === undefined ? [] : ["--bind", writable, writable];
  return run([
    bwrap,
    ...["--unshare-pid", "--unshare-ipc", "--unshare-net", "--die-with-parent"],
    ...mounts,
    ...["--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", ...own, "--", path, ...args],
  ]);
}
