// Rules about who may know whom.
import { basename } from "node:path";
import { type CodeFile, type Finding, type Import, importsOf } from "./code-file.ts";

/** A folder of src/ imports only folders to its left, and itself. */
export const ladder = [
  "contract",
  "core",
  "alert",
  "account",
  "audit",
  "operation",
  "webhook",
  "usage",
  "host",
  "hold",
  "environment",
  "database",
  "project",
  "backup",
  "proof",
  "dump",
  "restore",
  "branch",
  "deployment",
  "sandbox",
];

/** The same of host/. */
export const hostLadder = [
  "base",
  "instance",
  "observe",
  "pooler",
  "dump",
  "wal",
  "repository",
  "database",
  "base-backup",
  "recovery",
  "store",
  "verification",
  "edge-sql",
  "server",
  "program",
];

const hostNounOf = (path: string) => /^host\/([^/]+)\/.*\.ts$/.exec(path)?.[1];
const nounOf = (path: string) => /^src\/([^/]+)\//.exec(path)?.[1];
const roomOf = (path: string) => path.split("/")[0] ?? "";
const isRoutes = (path: string) => /(^|-)routes\.ts$/.test(basename(path));

type Judge = (found: Import) => string | null;

function findingsOf(files: readonly CodeFile[], judge: Judge): Finding[] {
  return files.flatMap(importsOf).flatMap((found) => {
    const remedy = judge(found);
    return remedy === null ? [] : [{ file: found.file, line: found.line, remedy }];
  });
}

/** A folder of `room`, as `nounOf` tells it, that imports one to its right on the ladder. */
const climbs =
  (room: string, rungs: readonly string[], folderOf: typeof nounOf): Judge =>
  ({ file, target }) => {
    const [from, to] = [folderOf(file), folderOf(target ?? "")];
    if (from === undefined || to === undefined) return null;
    if (!rungs.includes(from)) {
      return `add ${room}/${from} to its ladder in test/support/tidy-import.ts`;
    }
    if (rungs.indexOf(to) <= rungs.indexOf(from)) return null;
    return `${room}/${to} is right of ${room}/${from}: move the shared part left, or hand it in`;
  };
const climbsLadder = climbs("src", ladder, nounOf);
const climbsHostLadder = climbs("host", hostLadder, hostNounOf);

const leavesContract: Judge = ({ file, specifier, target }) => {
  if (nounOf(file) !== "contract" || specifier === "zod") return null;
  return nounOf(target ?? "") === "contract" ? null : "src/contract imports zod alone";
};

const leavesSrc: Judge = ({ file, specifier, target }) => {
  if (roomOf(file) !== "src") return null;
  if (/^(node|cloudflare):/.test(specifier)) return `${specifier} is for a port of the Context`;
  const isOurs = target === null || roomOf(target) === "src";
  return isOurs ? null : `src/ imports nothing of ${roomOf(target)}/: hand it in`;
};

const leavesHost: Judge = ({ file, target }) => {
  if (roomOf(file) !== "host" || target === null) return null;
  const isOurs = roomOf(target) === "host" || nounOf(target) === "contract";
  return isOurs ? null : "host/ knows src/contract alone: put what both need there";
};

const leavesLocal: Judge = ({ file, target }) => {
  if (roomOf(file) !== "local" || target === null) return null;
  const isOurs = ["local", "host"].includes(roomOf(target)) || nounOf(target) === "contract";
  return isOurs ? null : "local/ knows host/ and src/contract alone: put what both need there";
};

const knowsLocal: Judge = ({ file, target }) => {
  if (target === null || roomOf(target) !== "local") return null;
  const mayKnow = ["local", "test", "bench"].includes(roomOf(file));
  return mayKnow ? null : "what starts a system is no part of it: move what is shared into host/";
};

const knowsWorkers: Judge = ({ file, target }) => {
  if (target === null || roomOf(target) !== "workers") return null;
  const mayKnow = ["workers", "test"].includes(roomOf(file));
  return mayKnow ? null : "nothing imports workers/: move what is shared into src/";
};

const knowsRoutes: Judge = ({ file, target }) => {
  if (target === null || !isRoutes(target)) return null;
  const mayKnow = ["workers", "test"].includes(roomOf(file));
  return mayKnow ? null : "routes are leaves: move what is shared into a verb or a schema";
};

const usesAlias: Judge = ({ specifier }) => {
  if (specifier.startsWith(".")) {
    const isWhole = /\.(ts|json|sql|html|css|txt|js)$/.test(specifier);
    return isWhole ? null : "write the whole file name with its .ts";
  }
  return /^[@~#]\/|^src\//.test(specifier) ? "write a relative path: there are no aliases" : null;
};

/** The rules, by name. */
export const importRules: Record<string, (files: readonly CodeFile[]) => Finding[]> = {
  "a folder of src/ imports only folders to its left": (files) => findingsOf(files, climbsLadder),
  "a folder of host/ imports only folders to its left": (files) =>
    findingsOf(files, climbsHostLadder),
  "src/contract imports zod alone": (files) => findingsOf(files, leavesContract),
  "src/ imports no runtime and no other room": (files) => findingsOf(files, leavesSrc),
  "host/ imports src/contract alone": (files) => findingsOf(files, leavesHost),
  "local/ imports host/ and src/contract alone": (files) => findingsOf(files, leavesLocal),
  "only local/, test/ and bench/ import local/": (files) => findingsOf(files, knowsLocal),
  "nothing imports workers/": (files) => findingsOf(files, knowsWorkers),
  "routes are leaves": (files) => findingsOf(files, knowsRoutes),
  "imports are relative paths or packages": (files) => findingsOf(files, usesAlias),
};
