// Lets other users come to what lies in directories that let nobody pass, such as a home: in a
// mount namespace of the host program's own, each of those is covered by an empty directory in
// which nothing is but the way to what is wanted. Paths stay what they are.
import { realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";

const mayPass = (path: string) => (statSync(path).mode & 0o001) !== 0;

function parentsOf(path: string): readonly string[] {
  const parent = dirname(path);
  return parent === path ? [] : [...parentsOf(parent), parent];
}

const isWithin = (path: string, directory: string) => path.startsWith(`${directory}/`);

/** What is done about each path, in this order. */
type Step = readonly ["cover", string] | readonly ["bind", string];

/** The steps that make a way to all of them; the shorter paths come first. */
function stepsTo(
  paths: readonly string[],
  canPass: (directory: string) => boolean,
): readonly Step[] {
  const steps: Step[] = [];
  const [covered, bound] = [new Set<string>(), [] as string[]];
  for (const path of paths.toSorted((one, other) => one.length - other.length)) {
    // Down to there the way is made already.
    const begin = bound.findLast((one) => isWithin(path, one)) ?? "";
    const barrier = parentsOf(path).find((one) => one.length >= begin.length && !canPass(one));
    if (barrier === undefined) continue;
    if (!covered.has(barrier)) steps.push(["cover", barrier]);
    covered.add(barrier);
    steps.push(["bind", path]);
    bound.push(path);
  }
  return steps;
}

// What is wanted is put aside first, as it cannot be seen once a directory above it is covered.
const script = [
  "set -e; umask 022; stage=/mnt; count=0",
  "mount -t tmpfs -o mode=0755 miosa $stage",
  'make() { if [ -d "$1" ]; then mkdir -p "$2"; else mkdir -p "$(dirname "$2")"; : >>"$2"; fi; }',
  'while [ "$1" != -- ]; do',
  '  count=$((count + 1)); make "$1" $stage/$count; mount --rbind "$1" $stage/$count; shift',
  "done",
  "shift; count=0",
  'while [ "$1" != -- ]; do',
  '  if [ "$1" = cover ]; then mount -t tmpfs -o mode=0755 miosa "$2"',
  '  else count=$((count + 1)); make $stage/$count "$2"; mount --rbind $stage/$count "$2"; fi',
  "  shift 2",
  "done",
  "shift",
  "umount -l $stage; umask 077; cd /",
  'exec "$@"',
].join("\n");

/**
 * Before the words of a program that is root: it sees each of these paths where it is, and users it
 * becomes come there. Empty when they do without.
 */
export function passageLine(
  unshare: string,
  paths: readonly string[],
  canPass: (directory: string) => boolean = mayPass,
): readonly string[] {
  const steps = stepsTo([...new Set(paths.map((path) => realpathSync(path)))], canPass);
  if (steps.length === 0) return [];
  const wanted = steps.flatMap(([kind, path]) => (kind === "bind" ? [path] : []));
  return [
    ...[unshare, "--mount", "--propagation", "private", "--"],
    ...["/bin/sh", "-c", script, "sh"],
    ...[...wanted, "--", ...steps.flat(), "--"],
  ];
}
