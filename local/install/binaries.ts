// Finds the data plane's programs, and brings them when they are not there: this machine's own
// when new enough, else from its package manager, else in a Debian 13 root file system.
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Binaries } from "../../host/base/binaries.ts";
import { readIfExists, writeAtomically } from "../../host/base/file.ts";
import { isAtLeast } from "../../host/base/version.ts";
import { mirrorFormat, parseCandidates, parseMirrors } from "./apt.ts";
import { findProgram, outputOf, say } from "./command.ts";
import { choosePackages, findAllNative, findMissing, hasApt, wants } from "./native.ts";
import { runAsRoot } from "./root.ts";

/** Where to look, build and record. */
export interface Places {
  /** The record of what was found. */
  readonly record: string;
  /** The root file system, whether it is there or not. */
  readonly rootfs: string;
}

const inRootfs = ["usr/lib/postgresql/17/bin/postgres", "usr/sbin/pgbouncer", "usr/bin/pgbackrest"];

/** The edition of root file systems that local/install/rootfs.sh builds. */
const rootfsEdition = "2";

/**
 * True when a root file system holds the programs: one of the present edition, or somebody's own
 * whose PgBouncer is new enough.
 */
function isRootfs(path: string): boolean {
  if (!inRootfs.every((program) => existsSync(join(path, program)))) return false;
  if (readIfExists(join(path, "etc/miosa-rootfs"))?.trim() === rootfsEdition) return true;
  return isAtLeast(versionsIn(path).pgbouncer ?? "", wants.pgbouncer.minimum);
}

function nativeBinaries(): { binaries: Binaries; versions: Record<string, string> } | undefined {
  const found = findAllNative();
  const { postgres, pgbouncer, pgbackrest } = found;
  if (findMissing(found).length > 0 || !postgres || !pgbouncer || !pgbackrest) return undefined;
  const versions = {
    postgres: postgres.version,
    pgbouncer: pgbouncer.version,
    pgbackrest: pgbackrest.version,
  };
  const paths = { pgbouncer: pgbouncer.path, pgbackrest: pgbackrest.path };
  const binaries = { kind: "native", postgres: dirname(postgres.path), ...paths } as const;
  return { binaries, versions };
}

function rootfsBinaries({ rootfs }: Places): Binaries | undefined {
  const bwrap = findProgram("bwrap");
  if (bwrap === undefined || !isRootfs(rootfs)) return undefined;
  return { kind: "rootfs", path: rootfs, bwrap };
}

function programsOf(binaries: Binaries): readonly string[] {
  if (binaries.kind === "rootfs") {
    return [binaries.bwrap, ...inRootfs.map((program) => join(binaries.path, program))];
  }
  return [join(binaries.postgres, "postgres"), binaries.pgbouncer, binaries.pgbackrest];
}

/** Changes when a program is replaced, as by an upgrade. */
function fingerprint(binaries: Binaries): string | undefined {
  const facts = programsOf(binaries).map((path) => statSync(path, { throwIfNoEntry: false }));
  if (facts.includes(undefined)) return undefined;
  return facts.map((fact) => `${fact?.size}.${Math.round(fact?.mtimeMs ?? 0)}`).join(" ");
}

function readRecord({ record, rootfs }: Places): Binaries | undefined {
  const text = readIfExists(record);
  if (text === undefined) return undefined;
  const { binaries, fingerprint: before } = JSON.parse(text);
  // The same root file system may be seen at another path this time.
  const now: Binaries = binaries.kind === "rootfs" ? { ...binaries, path: rootfs } : binaries;
  return before === fingerprint(now) ? now : undefined;
}

function keepRecord(places: Places, binaries: Binaries, versions: Record<string, string>): void {
  const record = { binaries, versions, fingerprint: fingerprint(binaries) };
  writeAtomically(places.record, `${JSON.stringify(record, null, 2)}\n`);
}

/** Native ones or a root file system that is already there; a cheap look when one was recorded. */
function findBinaries(places: Places): Binaries | undefined {
  const recorded = readRecord(places);
  if (recorded !== undefined) return recorded;
  const native = nativeBinaries();
  if (native !== undefined) {
    keepRecord(places, native.binaries, native.versions);
    return native.binaries;
  }
  const rootfs = rootfsBinaries(places);
  if (rootfs !== undefined) keepRecord(places, rootfs, versionsIn(places.rootfs));
  return rootfs;
}

/** Versions by package, from a root file system's package database. */
function versionsIn(rootfs: string): Record<string, string> {
  const status = readIfExists(join(rootfs, "var/lib/dpkg/status")) ?? "";
  const names = ["postgresql-17", "pgbouncer", "pgbackrest"];
  return Object.fromEntries(
    names.map((name) => {
      const entry = status.split("\n\n").find((text) => text.startsWith(`Package: ${name}\n`));
      return [name, /^Version: (.*)$/m.exec(entry ?? "")?.[1] ?? "unknown"];
    }),
  );
}

function candidates(packages: readonly string[]): ReadonlyMap<string, string> {
  return parseCandidates(outputOf("apt-cache", ["policy", ...packages]) ?? "");
}

/** From the distribution's own packages; false when they are too old. */
async function installPackages(): Promise<boolean> {
  const missing = findMissing(findAllNative());
  const known = candidates(missing.flatMap((id) => wants[id].packages));
  const packages = choosePackages(missing, known);
  if (packages === undefined) return false;
  const list = packages.join(", ");
  await runAsRoot(`Installing ${list} from this system's packages`, "apt.sh", [
    "install",
    ...packages,
  ]);
  return true;
}

/** A Debian 13 beside this system; false when this system has no Debian mirror to make it from. */
async function buildRootfs({ rootfs }: Places): Promise<boolean> {
  const targets = ["indextargets", "--format", mirrorFormat, "Created-By: Packages"];
  const mirrors = parseMirrors(outputOf("apt-get", targets) ?? "");
  const isThere = isRootfs(rootfs);
  if (mirrors === undefined && !isThere) return false;
  const tools = ["bubblewrap"];
  if (!isThere) {
    const known = candidates(["mmdebstrap", "debootstrap"]);
    tools.push(known.has("mmdebstrap") ? "mmdebstrap" : "debootstrap", "debian-archive-keyring");
  }
  await runAsRoot(`Installing ${tools.join(", ")}`, "apt.sh", ["install", ...tools]);
  if (isThere || mirrors === undefined) return true;
  const title = `Building a Debian 13 root file system in ${rootfs} (once: a minute, 0.5 GB)`;
  await runAsRoot(title, "rootfs.sh", [rootfs, mirrors.main, mirrors.security ?? ""]);
  return true;
}

function whatToInstall(places: Places): string {
  const found = findAllNative();
  const lines = findMissing(found).map((id) => {
    const { name, minimum } = wants[id];
    const { version, path } = found[id] ?? {};
    const have = version === undefined ? "none found" : `found ${version} (${path})`;
    return `  ${name} ${minimum} or newer: ${have}`;
  });
  return [
    "This system lacks, and its package manager does not offer:",
    ...lines,
    "Install them, then start again. Or make a Debian 13 root file system with the packages",
    `postgresql-17, pgbouncer (${wants.pgbouncer.minimum} or newer, of Debian 14), pgbackrest and`,
    "openssl, install bubblewrap, and name its directory in MIOSA_ROOTFS (now",
    `${places.rootfs}).`,
  ].join("\n");
}

/**
 * The programs to run, installed or built when needed. Takes a few milliseconds when a start
 * before found them; rejects with what to install when this system offers no way.
 */
export async function ensureBinaries(places: Places): Promise<Binaries> {
  const found = findBinaries(places);
  if (found !== undefined) return found;
  if (process.platform !== "linux") throw new Error("The servers need Linux: start on one.");
  if (hasApt()) {
    await runAsRoot("Reading the package lists", "apt.sh", ["update"]).catch((error) => {
      say(`Going on with the package lists of before. ${error.message}`);
    });
    const isDone = (await installPackages()) || (await buildRootfs(places));
    const brought = isDone ? findBinaries(places) : undefined;
    if (brought !== undefined) return brought;
  }
  throw new Error(whatToInstall(places));
}
