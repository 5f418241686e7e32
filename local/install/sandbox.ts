import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { Binaries } from "../../host/base/binaries.ts";

/** Rejects with a remedy when programs of a root file system cannot be run by this user. */
export function checkSandbox(binaries: Binaries): void {
  if (binaries.kind === "native") return;
  const { path, bwrap } = binaries;
  const links = ["bin", "sbin", "lib", "lib64"].flatMap((name) => [
    "--symlink",
    `usr/${name}`,
    `/${name}`,
  ]);
  const binds = ["--ro-bind", join(path, "usr"), "/usr", "--ro-bind", join(path, "etc"), "/etc"];
  const program = ["--", "/usr/lib/postgresql/17/bin/postgres", "--version"];
  const args = [...binds, ...links, "--dev", "/dev", "--proc", "/proc", ...program];
  const { status, stderr } = spawnSync(bwrap, args, { encoding: "utf8" });
  if (status === 0) return;
  throw new Error(
    `The root file system ${path} cannot be used: ${stderr.trim()}\n` +
      "Servers run in it through bubblewrap, which needs unprivileged user namespaces: allow " +
      "them (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces above 0; in a " +
      "container, its security profile), or install Postgres 17, PgBouncer 1.26.1, pgBackRest " +
      "2.55 on this system itself.",
  );
}
