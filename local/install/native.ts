// The servers this machine has by itself, and whether they are new enough.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { findVersion, isAtLeast, pgbouncerMinimum } from "../../host/base/version.ts";
import { findProgram, findPrograms, outputOf } from "./command.ts";

/** A program that is wanted: its oldest good version, and where to ask which one it is. */
export interface Want {
  readonly name: string;
  readonly minimum: string;
  /** Packages that bring it, the preferred one first. */
  readonly packages: readonly string[];
}

/** What the data plane is made of. */
export const wants = {
  postgres: {
    name: "PostgreSQL",
    minimum: "17",
    packages: ["postgresql-17", "postgresql-18", "postgresql-19"],
  },
  // Before it one packet of anybody's, without a login, stopped or ended it.
  pgbouncer: { name: "PgBouncer", minimum: pgbouncerMinimum, packages: ["pgbouncer"] },
  pgbackrest: { name: "pgBackRest", minimum: "2.55", packages: ["pgbackrest"] },
  openssl: { name: "OpenSSL", minimum: "1.1.1", packages: ["openssl"] },
} satisfies Record<string, Want>;
export type WantId = keyof typeof wants;

/** A program on this machine. */
export interface Found {
  readonly path: string;
  readonly version: string;
}

function postgresPaths(): readonly string[] {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root) : [];
  const newestFirst = versions.sort((a, b) => Number(b) - Number(a));
  const debian = newestFirst.map((version) => join(root, version, "bin", "postgres"));
  return [...debian.filter((path) => existsSync(path)), ...findPrograms("postgres")];
}

const paths: Record<WantId, () => readonly string[]> = {
  postgres: postgresPaths,
  pgbouncer: () => findPrograms("pgbouncer"),
  pgbackrest: () => findPrograms("pgbackrest"),
  // Where the host program looks for it.
  openssl: () => (existsSync("/usr/bin/openssl") ? ["/usr/bin/openssl"] : []),
};

function versionOf(id: WantId, path: string): string | undefined {
  const argument = id === "pgbackrest" || id === "openssl" ? "version" : "--version";
  const output = outputOf(path, [argument]);
  return output === undefined ? undefined : findVersion(output);
}

/** The newest one of this machine, also when it is too old; undefined when there is none. */
function findNative(id: WantId): Found | undefined {
  const found = paths[id]().flatMap((path) => {
    const version = versionOf(id, path);
    return version === undefined ? [] : [{ path, version }];
  });
  return found.find(({ version }) => isAtLeast(version, wants[id].minimum)) ?? found[0];
}

/** All four, by id. */
export function findAllNative(): Readonly<Record<WantId, Found | undefined>> {
  return {
    postgres: findNative("postgres"),
    pgbouncer: findNative("pgbouncer"),
    pgbackrest: findNative("pgbackrest"),
    openssl: findNative("openssl"),
  };
}

/** The wants that `found` does not meet. */
export function findMissing(found: ReturnType<typeof findAllNative>): readonly WantId[] {
  const ids = Object.keys(wants) as WantId[];
  return ids.filter((id) => !isAtLeast(found[id]?.version ?? "", wants[id].minimum));
}

/**
 * Packages that meet all of `missing`, from apt's candidates; undefined when one has none that is
 * new enough.
 */
export function choosePackages(
  missing: readonly WantId[],
  candidates: ReadonlyMap<string, string>,
): readonly string[] | undefined {
  const chosen = missing.map((id) => {
    const { packages, minimum } = wants[id];
    return packages.find((name) => isAtLeast(candidates.get(name) ?? "", minimum));
  });
  return chosen.every((name) => name !== undefined) ? chosen : undefined;
}

/** True when apt is there to be asked. */
export function hasApt(): boolean {
  return findProgram("apt-get") !== undefined && findProgram("apt-cache") !== undefined;
}
