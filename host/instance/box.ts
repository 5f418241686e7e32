// The box an instance runs in: a user of its own, and namespaces that hold nothing but its
// directory, its settings and read-only programs; no network, no other process, no other memory.
// Its Postgres is the first process of its process namespace: with it all of its backends end, at
// once, whatever ended it.
import { join } from "node:path";
import type { Binaries } from "../base/binaries.ts";
import type { CommandLine } from "../base/spawn.ts";
import { type InstancePlace, inside } from "./place.ts";
import { programsOf } from "./programs.ts";

/** Files a process of an instance may have open. */
const filesMax = 4096;

/** What the kernel holds an instance to. */
export interface BoxLimits {
  /** Bytes of data of each process; an allocation beyond is an error of that query. */
  readonly dataBytesMax: number;
  /** Processes of its user; only where it has one of its own. */
  readonly processesMax: number;
}

/** One instance's box. */
export interface Box {
  readonly binaries: Binaries;
  readonly place: InstancePlace;
  /** By which the host program knows its own among all processes of the machine. */
  readonly mark: string;
  /** The user of its processes; null where the host program may not give it one. */
  readonly uid: number | null;
  readonly limits: BoxLimits;
  /** Makes its control groups, which its Postgres joins by these files before it is anybody. */
  readonly groups: () => readonly string[];
  /** What its Postgres sees beside its own. */
  readonly reach?: BoxReach;
}

/** What a box holds beside its own, by where it is seen. */
export interface BoxReach {
  /** What may be read there. */
  readonly readable?: Readonly<Record<string, string>>;
  /** What may be changed there. */
  readonly writable?: Readonly<Record<string, string>>;
  /** What covers a file of its own directory. */
  readonly over?: Readonly<Record<string, string>>;
  /** Whether it goes on when the host program ends. */
  readonly outlives?: boolean;
  /** Whether its own directory is only read. */
  readonly onlyReads?: boolean;
  /** The network, for who fetches from an object store. */
  readonly network?: boolean;
  readonly variables?: Readonly<Record<string, string>>;
}

function become(uid: number | null): string[] {
  if (uid === null) return [];
  const ids = [`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
  return ["/usr/bin/setpriv", ...ids, "--inh-caps=-all", "--"];
}

const bind = (how: string, paths: Readonly<Record<string, string>> = {}) =>
  Object.entries(paths).flatMap(([seen, path]) => [how, path, seen]);

/** Namespaces around a command. */
function confine({ binaries, place }: Box, reach: BoxReach): string[] {
  const { bwrap, mounts } = programsOf(binaries);
  const { network = false, onlyReads = false, variables = {} } = reach;
  return [
    bwrap,
    ...["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--as-pid-1"],
    ...(network ? [] : ["--unshare-net"]),
    ...["--new-session", "--hostname", "instance"],
    ...mounts,
    ...["--ro-bind", place.passwd, "/etc/passwd", "--proc", "/proc", "--dev", "/dev"],
    ...["--ro-bind", place.settings, "/settings"],
    ...bind("--ro-bind", reach.readable),
    ...bind("--bind", reach.writable),
    ...[onlyReads ? "--ro-bind" : "--bind", place.box, "/instance"],
    ...bind("--ro-bind", reach.over),
    ...(reach.outlives ? [] : ["--die-with-parent"]),
    ...["--remount-ro", "/"],
    ...Object.entries(variables).flatMap(([name, value]) => ["--setenv", name, value]),
    ...["--chdir", "/instance", "--"],
  ];
}

/** Puts the shell into each group, and then becomes the program. */
function entering(groups: readonly string[]): string[] {
  if (groups.length === 0) return [];
  const text = 'while [ "$1" != -- ]; do echo $$ >"$1" || exit 1; shift; done; shift; exec "$@"';
  return ["/bin/sh", "-c", text, "sh", ...groups, "--"];
}

/** Limits of the kernel for each process. */
function limited({ limits, uid }: Box): string[] {
  const processes = uid === null ? [] : [`--nproc=${limits.processesMax}`];
  const each = [`--nofile=${filesMax}`, `--data=${limits.dataBytesMax}`, "--core=0"];
  return ["/usr/bin/prlimit", ...each, ...processes, "--"];
}

/** A file every box shows as `/etc/passwd`. */
export function passwdText(uid: number): string {
  return `postgres:x:${uid}:${uid}::/:/usr/sbin/nologin\n`;
}

/**
 * The command line of an instance's Postgres. The lock is held by every process of it, so that a
 * second one cannot start on the same files: in namespaces of their own they would not see each
 * other.
 */
export function serverLine(box: Box): CommandLine {
  const { binaries, place } = box;
  const [program = "", ...args] = [
    ...entering(box.groups()),
    ...become(box.uid),
    ...limited(box),
    ...["/usr/bin/flock", "--exclusive", "--nonblock", "--no-fork"],
    ...["--conflict-exit-code", String(lockedExitCode), place.lock],
    ...confine(box, {
      ...box.reach,
      outlives: true,
      // Whoever became superuser writes there what the next start would follow.
      over: { [`${inside.data}/postgresql.auto.conf`]: join(place.settings, "empty.conf") },
    }),
    ...[join(programsOf(binaries).postgres, "postgres"), "-D", inside.data],
    ...["-c", `config_file=${inside.settings}`, markArgument(box.mark)],
    nameArgument(place.name),
  ];
  return [program, ...args];
}

/** How a start ends when the files are in use. */
export const lockedExitCode = 75;

/** The word of its command line by which an instance is known; titles of its backends have it. */
export function nameArgument(name: string): string {
  return `--cluster_name=${name}`;
}

/** The word by which a host program knows its own. Postgres takes it for a setting of nobody's. */
export function markArgument(mark: string): string {
  return `--miosa.host=${mark}`;
}

function programDirectory({ binaries }: Box, name: string): string {
  return ["pgbackrest", "cp", "ln", "sh"].includes(name)
    ? "/usr/bin"
    : programsOf(binaries).postgres;
}

/** The command line of a program that works on an instance's files, beside its Postgres or not. */
export function toolLine(
  box: Box,
  name: string,
  args: readonly string[],
  reach: BoxReach = {},
): CommandLine {
  const [program = "", ...rest] = [
    ...become(box.uid),
    ...confine(box, reach),
    ...[join(programDirectory(box, name), name), ...args],
  ];
  return [program, ...rest];
}
