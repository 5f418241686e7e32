// Nothing that serves runs as root. A start by root installs, then becomes the service user: the
// owner of the state directory or of the clone, or user `miosa`, made when it is not there.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  statSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { findProgram, outputOf } from "../install/command.ts";
import { quote } from "../install/root.ts";
import { pathProblem, type Settings, variables } from "./settings.ts";

const serviceUser = "miosa";
/** Holds mount points of places that the service user could not enter where they are. */
const neutralRoot = "/run/miosa";

interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

function program(name: string): string {
  const path = findProgram(name);
  if (path !== undefined) return path;
  throw new Error(`The program ${name} is not here: install it, or start as an ordinary user.`);
}

function findUser(key: string): User | undefined {
  const line = outputOf(program("getent"), ["passwd", key]);
  if (line === undefined) return undefined;
  const [name = "", , uid, gid] = line.trim().split(":");
  return { name, uid: Number(uid), gid: Number(gid) };
}

function makeUser(): User {
  const flags = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"];
  outputOf(program("useradd"), [...flags, "--shell", "/usr/sbin/nologin", serviceUser]);
  const user = findUser(serviceUser);
  if (user !== undefined) return user;
  throw new Error(`User ${serviceUser} could not be made with useradd: make it, then start again.`);
}

function ownerOf(path: string): User | undefined {
  const { uid } = statSync(path);
  return uid === 0 ? undefined : findUser(String(uid));
}

/** Who a start by root serves as. */
export function chooseUser({ home, repository }: Settings): User {
  return ownerOf(home) ?? ownerOf(repository) ?? findUser(serviceUser) ?? makeUser();
}

/** Gives the state directory to the user. */
export function giveHome(home: string, user: User): void {
  if (statSync(home).uid === user.uid) return;
  const names = readdirSync(home).filter((name) => !name.startsWith("rootfs"));
  for (const name of names) lchownSync(join(home, name), user.uid, user.gid);
  chownSync(home, user.uid, user.gid);
}

function asUser(user: User): readonly string[] {
  const ids = [`--reuid=${user.uid}`, `--regid=${user.gid}`, "--init-groups"];
  return [program("setpriv"), ...ids, "--inh-caps=-all", "--"];
}

/** A path, and where the service user sees it. */
interface Place {
  readonly path: string;
  readonly seen: string;
  readonly isWritable: boolean;
}

function canUse(user: User, places: readonly Place[]): boolean {
  const [file = "", ...args] = asUser(user);
  const tests = [...places, { path: process.execPath, isWritable: false }].map(
    ({ path, isWritable }) => [path, isWritable ? "-w" : "-r"],
  );
  const script = 'while [ $# -gt 0 ]; do test "$2" "$1" || exit 1; shift 2; done';
  const command = [...args, "/bin/sh", "-c", script, "sh", ...tests.flat()];
  return spawnSync(file, command, { cwd: "/", stdio: "ignore" }).status === 0;
}

// A place that the service user cannot enter is bound to one that it can, for it alone.
const bindScript = [
  "set -e",
  "mount=$1",
  "shift",
  'while [ "$1" != -- ]; do',
  '  "$mount" --bind "$1" "$2"',
  '  if [ "$3" = ro ]; then "$mount" -o remount,bind,ro "$2"; fi',
  "  shift 3",
  "done",
  "shift",
  "cd /",
  'exec "$@"',
].join("\n");

function bindCommand(places: readonly Place[]): readonly string[] {
  for (const { seen } of places) {
    mkdirSync(seen, { recursive: true });
    // Whatever the umask: the service user has to pass.
    for (const path of [seen, dirname(seen), neutralRoot]) chmodSync(path, 0o755);
  }
  const mount = program("mount");
  const unshare = [program("unshare"), "--mount", "--propagation", "private"];
  if (spawnSync(unshare[0] ?? "", [...unshare.slice(1), "true"]).status !== 0) {
    throw new Error(
      "The service user cannot enter this directory, and this system forbids private mounts: " +
        "make the clone and MIOSA_HOME in a directory that others may enter, such as /opt.",
    );
  }
  const binds = places.flatMap(({ path, seen, isWritable }) => [
    path,
    seen,
    isWritable ? "rw" : "ro",
  ]);
  return [...unshare, "--", "/bin/sh", "-c", bindScript, "sh", mount, ...binds, "--"];
}

const kept = ["PATH", "TERM", "LANG", "TZ", "NO_COLOR", "FORCE_COLOR", "CI"];

function serviceEnvironment(settings: Settings, seen: Settings): Record<string, string> {
  const own = kept.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value]];
  });
  return {
    ...Object.fromEntries(own),
    HOME: seen.home,
    [variables.home]: seen.home,
    [variables.rootfs]: seen.rootfs,
    [variables.port]: String(settings.port),
    [variables.databasesMax]: String(settings.databasesMax),
    [variables.backendsMax]: String(settings.backendsMax ?? ""),
    [variables.clientsMax]: String(settings.clientsMax ?? ""),
    [variables.resolverUrl]: settings.resolverUrl ?? "",
    [variables.cronSeconds]: String(settings.cronSeconds),
    [variables.orphanDays]: String(settings.orphanDays),
    [variables.shownHome]: settings.home,
    [variables.shownRootfs]: settings.rootfs,
  };
}

function placesOf(settings: Settings): readonly Place[] {
  const hash = createHash("sha256").update(settings.home).digest("hex").slice(0, 12);
  const at = (name: string) => join(neutralRoot, hash, name);
  const { repository, home, rootfs } = settings;
  const isOutside = relative(home, rootfs).startsWith("..") && existsSync(rootfs);
  const node = join(process.execPath, "..");
  return [
    { path: repository, seen: at("repository"), isWritable: false },
    { path: home, seen: at("home"), isWritable: true },
    ...(isOutside ? [{ path: rootfs, seen: at("rootfs"), isWritable: false }] : []),
    ...(relative(repository, node).startsWith("..")
      ? [{ path: node, seen: at("node"), isWritable: false }]
      : []),
  ];
}

function translate(path: string, places: readonly Place[]): string {
  // The longest first: the state directory may be in the repository.
  const longestFirst = places.toSorted((a, b) => b.path.length - a.path.length);
  const place = longestFirst.find((it) => path === it.path || path.startsWith(`${it.path}/`));
  return place === undefined ? path : join(place.seen, relative(place.path, path));
}

function assertReadable(repository: string): void {
  for (const name of ["package.json", "local/launch/main.ts", "node_modules"]) {
    const path = join(repository, name);
    if ((statSync(path).mode & 0o004) !== 0) continue;
    throw new Error(
      `${path} cannot be read by others, and servers do not run as root: ` +
        `chmod -R go+rX ${quote(repository)}`,
    );
  }
}

/** The settings as the service user sees them, and whether that is as they are. */
function viewOf(settings: Settings, user: User) {
  const places = placesOf(settings);
  const isDirect = pathProblem(settings) === undefined && canUse(user, places);
  return { places, isDirect, seen: isDirect ? settings : seenSettings(settings, places) };
}

/** Where the service user sees the state directory. */
export function seenHome(settings: Settings, user: User): string {
  return viewOf(settings, user).seen.home;
}

/** Replaces this process, which is root's, by the same start as the service user. */
export function becomeServiceUser(settings: Settings, user: User): never {
  assertReadable(settings.repository);
  const { places, isDirect, seen } = viewOf(settings, user);
  const bind = isDirect ? [] : bindCommand(places);
  const node = isDirect ? process.execPath : translate(process.execPath, places);
  const main = join(seen.repository, "local/launch/main.ts");
  const command = [...bind, ...asUser(user), node, main];
  const environment = serviceEnvironment(settings, seen);
  process.chdir("/");
  process.execve?.(command[0] ?? "", command, environment);
  throw new Error("This Node cannot replace its process: use Node 22.18 or newer.");
}

function seenSettings(settings: Settings, places: readonly Place[]): Settings {
  const { repository, home, rootfs } = settings;
  return {
    ...settings,
    repository: translate(repository, places),
    home: translate(home, places),
    rootfs: translate(rootfs, places),
  };
}
