// Which users databases run as, each as one of its own: root's host program takes some that are
// nobody's; anybody else's becomes root of a user namespace that has some. Where neither is to be
// had all of them run as who started, and it is said what is missing.
import { createHash } from "node:crypto";
import { userInfo } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { run } from "../../host/base/spawn.ts";
import { readIfExists, writeAtomically } from "../../host/file.ts";
import { findProgram } from "../install/command.ts";
import { isRoot, quote, runAsRoot } from "../install/root.ts";
import { enterLine, holdNamespace, letGoOf, type Mapping } from "./namespace.ts";
import { passageLine } from "./passage.ts";
import { freeRange, type Range, rangeOf, type SystemUsers } from "./uid-range.ts";

/** How a host program is started, and what it is told about users. */
export interface Uids {
  /** `first_uid` of its configuration. */
  readonly firstUid: number | null;
  /** `uids_max` of it. */
  readonly uidsMax: number;
  /** Words before those that start it. */
  readonly prefix: readonly string[];
  /** What keeps databases apart less than it could, for who started it; null when nothing does. */
  readonly missing: string | null;
  /** To be called once the host program has ended with all its servers, and not before. */
  readonly release: () => Promise<void>;
}

/** What has to be known. */
export interface UidOptions {
  /** The state directory. */
  readonly home: string;
  /** What databases, and the host program, have to come to: directories and files. */
  readonly paths: readonly string[];
  /** Whether there are databases already, whose files belong to somebody. */
  readonly hasDatabases: boolean;
}

const Kept = z.union([
  z.strictObject({ way: z.literal("root"), first: z.int(), count: z.int() }),
  z.strictObject({
    way: z.literal("namespace"),
    uids: z.strictObject({ first: z.int(), count: z.int() }),
    gids: z.strictObject({ first: z.int(), count: z.int() }),
  }),
  z.strictObject({ way: z.literal("none") }),
]);
type Kept = z.infer<typeof Kept>;

/** What the host program asks for at least. */
const countMin = 10_000;
/** The standard of `uids_max`, which nothing is taken of. */
const uidsMaxOfNone = 10_000;
// In a namespace numbers that it does not have are shown as this one.
const overflow = 65_534;

function systemUsers(): SystemUsers {
  const read = (...files: readonly string[]) => files.map((file) => readIfExists(file) ?? "");
  return {
    subordinate: read("/etc/subuid", "/etc/subgid"),
    known: read("/etc/passwd", "/etc/group"),
    maps: read("/proc/self/uid_map", "/proc/self/gid_map"),
  };
}

const seedOf = (home: string) => createHash("sha256").update(home).digest().readUInt32LE();

const isEnough = (range: Range | undefined): range is Range =>
  range !== undefined && range.count >= countMin;

/** What /etc/subuid and /etc/subgid give to who runs this. */
function ownMapping(): Mapping | undefined {
  const { username, uid } = userInfo();
  const [uids, gids] = systemUsers().subordinate.map((text) =>
    rangeOf(text, [username, String(uid)]),
  );
  return isEnough(uids) && isEnough(gids) ? { uids, gids } : undefined;
}

function program(name: string): string {
  const path = findProgram(name);
  if (path !== undefined) return path;
  throw new Error(`The program ${name} of util-linux is not here: install it.`);
}

/** Gives the namespace of a process its users: by the programs for that, or by root. */
async function map(pid: number, { uids, gids }: Mapping): Promise<void> {
  const { uid, gid } = userInfo();
  const [newuidmap, newgidmap] = [findProgram("newuidmap"), findProgram("newgidmap")];
  if (newuidmap === undefined || newgidmap === undefined) {
    const ids = [pid, uid, gid, uids.first, uids.count, gids.first, gids.count];
    const title = "Giving databases users of their own";
    return runAsRoot(title, "uids.sh", ["map", ...ids.map(String)]);
  }
  const words = (own: number, { first, count }: Range) =>
    [pid, 0, own, 1, 1, first, count].map(String);
  await run([newuidmap, ...words(uid, uids)]);
  await run([newgidmap, ...words(gid, gids)]);
}

/** Has users given to who runs this; undefined when nobody here may do that. */
async function askForUsers(home: string): Promise<Mapping | string> {
  const own = ownMapping();
  if (own !== undefined) return own;
  const range = freeRange(systemUsers(), seedOf(home));
  if (range === undefined) return "This system has no users that are nobody's.";
  const { username } = userInfo();
  const args = ["grant", username, String(range.first), String(range.count)];
  try {
    await runAsRoot("Giving you users for databases", "uids.sh", args);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return ownMapping() ?? `/etc/subuid gives ${username} fewer than ${countMin} users.`;
}

function missingWords(home: string, reason: string): string {
  return [
    "All databases run as your user: namespaces keep them apart, and no more than that. A user for",
    `each needs some of this system's. ${reason}`,
    `Then start with another MIOSA_HOME than ${quote(home)}: what is there stays your user's.`,
  ].join("\n");
}

const uidsOf = (count: number) => Math.min(count, overflow - 1) - 1;

async function inNamespace({ home, paths }: UidOptions, mapping: Mapping): Promise<Uids> {
  const [unshare, nsenter] = [program("unshare"), program("nsenter")];
  const record = join(home, "namespace.json");
  const pid = await holdNamespace({ unshare, record, map }, mapping);
  return {
    firstUid: 1,
    uidsMax: uidsOf(Math.min(mapping.uids.count, mapping.gids.count)),
    prefix: [...enterLine(nsenter, pid), ...passageLine(unshare, paths)],
    missing: null,
    release: () => letGoOf(record),
  };
}

const nothing = async () => undefined;

function asRoot({ paths }: UidOptions, { first, count }: Range): Uids {
  const prefix = passageLine(program("unshare"), paths);
  return { firstUid: first, uidsMax: count - 1, prefix, missing: null, release: nothing };
}

/** Decides it for a state directory; what was decided before holds, as files belong to somebody. */
async function decide(options: UidOptions, kept: Kept | undefined): Promise<readonly [Kept, Uids]> {
  const { home } = options;
  const none = (reason: string) => {
    const missing = missingWords(home, reason);
    return [
      { way: "none" },
      { firstUid: null, uidsMax: uidsMaxOfNone, prefix: [], missing, release: nothing },
    ] as const;
  };
  if (kept?.way === "none") return none("");
  if (isRoot()) {
    if (kept?.way === "namespace") throw new Error(othersWords(home));
    const range = kept ?? freeRange(systemUsers(), seedOf(home));
    if (range === undefined) return none("This system has no users that are nobody's.");
    const { first, count } = range;
    return [
      { way: "root", first, count },
      { ...asRoot(options, range), missing: null },
    ];
  }
  if (kept?.way === "root") throw new Error(othersWords(home));
  const mapping = kept ?? (await askForUsers(home));
  if (typeof mapping === "string") return none(mapping);
  const { uids, gids } = mapping;
  return [{ way: "namespace", uids, gids }, await inNamespace(options, { uids, gids })];
}

const othersWords = (home: string) =>
  `Databases in ${home} belong to users that another start took, by root or by an ordinary user: ` +
  "start as that one, or with another MIOSA_HOME.";

/** Finds out which users databases are to run as, and has them given when there are none. */
export async function prepareUids(options: UidOptions): Promise<Uids> {
  const file = join(options.home, "uids.json");
  const text = readIfExists(file);
  const known = text === undefined ? undefined : Kept.parse(JSON.parse(text));
  const kept = options.hasDatabases ? known : undefined;
  const [decision, answer] = await decide(options, kept);
  if (kept === undefined) writeAtomically(file, `${JSON.stringify(decision)}\n`);
  return answer;
}
