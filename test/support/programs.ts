import type { Binaries } from "../../host/base/binaries.ts";

/** Debian 13's binaries: in the root file system of MIOSA_ROOTFS, or installed on the machine. */
export function testBinaries(): Binaries {
  const root = process.env.MIOSA_ROOTFS;
  if (root !== undefined) return { kind: "rootfs", path: root, bwrap: "/usr/bin/bwrap" };
  return {
    kind: "native",
    postgres: "/usr/lib/postgresql/17/bin",
    pgbouncer: "/usr/sbin/pgbouncer",
    pgbackrest: "/usr/bin/pgbackrest",
  };
}
