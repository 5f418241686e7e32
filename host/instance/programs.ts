// Where the programs are, and what of the machine is needed to run them: read-only, nothing else.
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Binaries } from "../base/binaries.ts";

/** Where Debian has Postgres 17. */
const debianPostgres = "/usr/lib/postgresql/17/bin";

/** Programs as they are seen from inside of a box, and what makes a box that sees them. */
export interface Programs {
  readonly bwrap: string;
  /** Arguments of bubblewrap that show the programs and what they load. */
  readonly mounts: readonly string[];
  /** Directory of `postgres` and `initdb`. */
  readonly postgres: string;
  readonly pgbouncer: string;
  readonly pgbackrest: string;
  /** What makes a program not wait for disks, as a variable; none without libeatmydata. */
  readonly withoutSync: Readonly<Record<string, string>>;
}

const libraries = ["x86_64", "aarch64"].map((machine) => {
  return `/usr/lib/${machine}-linux-gnu/libeatmydata.so.1`;
});

/** Finds them out. */
export function programsOf(binaries: Binaries): Programs {
  const isNative = binaries.kind === "native";
  const root = isNative ? "/" : binaries.path;
  const links = ["bin", "sbin", "lib", "lib64"].flatMap((name) => [
    ...["--symlink", `usr/${name}`, `/${name}`],
  ]);
  // Debian's alternatives, what the loader knows, OpenSSL's settings.
  const etc = ["/etc/alternatives", "/etc/ld.so.cache", "/etc/localtime", "/etc/ssl/openssl.cnf"]
    .filter((path) => existsSync(join(root, path)))
    .flatMap((path) => ["--ro-bind", join(root, path), path]);
  const library = libraries.find((path) => existsSync(join(root, path)));
  return {
    withoutSync: library === undefined ? {} : { LD_PRELOAD: library },
    bwrap: isNative ? "/usr/bin/bwrap" : binaries.bwrap,
    mounts: ["--ro-bind", join(root, "usr"), "/usr", ...etc, ...links],
    postgres: isNative ? binaries.postgres : debianPostgres,
    pgbouncer: isNative ? binaries.pgbouncer : "/usr/sbin/pgbouncer",
    pgbackrest: isNative ? binaries.pgbackrest : "/usr/bin/pgbackrest",
  };
}
