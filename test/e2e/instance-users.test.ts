// Who starts a system without being root has a user for each database all the same: in a namespace
// that is held while host programs come and go, behind a home that lets nobody pass.
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { enterLine, holdNamespace, letGoOf } from "../../local/launch/namespace.ts";
import { passageLine } from "../../local/launch/passage.ts";
// Of the lane of instances, by its import.
import { small } from "../support/fleet.ts";
import { testBinaries } from "../support/host.ts";
import type { InNamespace } from "../support/in-namespace.ts";

// A test that is no root can give nobody users; then there is one for all.
const isRoot = process.getuid?.() === 0;
const person = isRoot ? 54_322 : (process.getuid?.() ?? 0);
const others = { first: 1_700_100_000, count: isRoot ? 1000 : 1 };

const home = mkdtempSync("/tmp/miosa-users-");
const record = join(home, "namespace.json");
const directory = join(home, "closed", "cluster");
const configuration = join(home, "closed", "fleet.json");
let line: readonly string[];

async function giveUsers(pid: number): Promise<void> {
  if (!isRoot) writeFileSync(`/proc/${pid}/setgroups`, "deny");
  for (const kind of ["uid", "gid"] as const) {
    const own = kind === "uid" || isRoot ? person : (process.getgid?.() ?? 0);
    const more = isRoot ? `1 ${others.first} ${others.count}\n` : "";
    writeFileSync(`/proc/${pid}/${kind}_map`, `0 ${own} 1\n${more}`);
  }
}

beforeAll(async () => {
  mkdirSync(directory, { recursive: true });
  const fleet = {
    ...{ binaries: testBinaries(), directory, firstUid: isRoot ? 1 : null },
    secret: randomBytes(32).toString("base64url"),
  };
  writeFileSync(configuration, JSON.stringify(fleet));
  chmodSync(home, 0o755);
  chmodSync(join(home, "closed"), 0o700);
  if (isRoot) execFileSync("chown", ["-R", `${person}:${person}`, home]);
  const as = isRoot ? { as: { uid: person, gid: person } } : {};
  const tools = { unshare: "/usr/bin/unshare", record, map: giveUsers, ...as };
  const pid = await holdNamespace(tools, { uids: others, gids: others });
  line = [
    ...enterLine("/usr/bin/nsenter", pid),
    ...passageLine(
      "/usr/bin/unshare",
      [directory, configuration],
      (path) => !path.endsWith("closed"),
    ),
  ];
});
afterAll(async () => {
  await letGoOf(record);
  rmSync(home, { recursive: true, force: true });
});

function runHost(): InNamespace {
  const script = fileURLToPath(new URL("../support/in-namespace.ts", import.meta.url));
  const [program = "", ...args] = [...line, process.execPath, script, configuration];
  const as = isRoot ? { uid: person, gid: person } : {};
  return JSON.parse(execFileSync(program, args, { encoding: "utf8", cwd: "/", ...as }));
}

test("an instance runs as a user of its own, and the next host program ends it", () => {
  expect(small.memoryBytes).toBeGreaterThan(0);
  const { pid, answer, found } = runHost();
  expect({ answer, found }).toEqual({ answer: { one: 1 }, found: [] });
  const [, user] = /^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  // The first one in the namespace is the template's.
  expect(Number(user)).toBe(isRoot ? others.first + 1 : person);
  expect(runHost()).toEqual({ found: ["proj_test_ns"], pid: null, answer: null });
  expect(() => readFileSync(`/proc/${pid}/status`)).toThrow(/ENOENT/);
});
