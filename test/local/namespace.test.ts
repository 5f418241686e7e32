// A user namespace is held, found again, and left; users in it come where they could not pass.
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isRunning, runningAt } from "../../host/base/running.ts";
import {
  enterLine,
  holdNamespace,
  letGoOf,
  type NamespaceTools,
} from "../../local/launch/namespace.ts";
import { passageLine } from "../../local/launch/passage.ts";

// Who starts a system is no root; a test that is gives it users as sudo does.
const isRoot = process.getuid?.() === 0;
const person = isRoot ? 54_321 : (process.getuid?.() ?? 0);
const others = { first: 1_700_000_000, count: isRoot ? 1000 : 1 };
const mapping = { uids: others, gids: others };

let home: string;
let tools: NamespaceTools;

beforeEach(() => {
  home = mkdtempSync("/tmp/miosa-namespace-");
  if (isRoot) chownSync(home, person, person);
  tools = {
    unshare: "/usr/bin/unshare",
    record: join(home, "namespace.json"),
    map: async (pid) => {
      const more = isRoot ? `1 ${others.first} ${others.count}\n` : "";
      if (!isRoot) writeFileSync(`/proc/${pid}/setgroups`, "deny");
      for (const kind of ["uid", "gid"] as const) {
        const own = kind === "uid" || isRoot ? person : (process.getgid?.() ?? 0);
        writeFileSync(`/proc/${pid}/${kind}_map`, `0 ${own} 1\n${more}`);
      }
    },
    ...(isRoot ? { as: { uid: person, gid: person } } : {}),
  };
});
afterEach(async () => {
  await letGoOf(tools.record);
  rmSync(home, { recursive: true, force: true });
});

/** Runs a program as who started the system. */
function run(line: readonly string[]): string {
  const [program = "", ...args] = line;
  const as = isRoot ? { uid: person, gid: person } : {};
  return execFileSync(program, args, { encoding: "utf8", cwd: "/", ...as }).trim();
}

test("who enters it is root there, and its files are the person's", async () => {
  const pid = await holdNamespace(tools, mapping);
  const enter = enterLine("/usr/bin/nsenter", pid);
  expect(run([...enter, "/usr/bin/id", "-u"])).toBe("0");
  run([...enter, "/usr/bin/touch", join(home, "made")]);
  expect(run(["/usr/bin/stat", "-c", "%u", join(home, "made")])).toBe(String(person));
});

test("the same one is found again, also by the next launcher, until it is let go of", async () => {
  const pid = await holdNamespace(tools, mapping);
  expect(await holdNamespace(tools, mapping)).toBe(pid);
  const running = runningAt(pid);
  await letGoOf(tools.record);
  expect(running !== undefined && isRunning(running)).toBe(false);
  expect(await holdNamespace(tools, mapping)).not.toBe(pid);
});

test("one that gets no users is not left behind", async () => {
  let held = 0;
  const map = async (pid: number) => {
    held = pid;
    throw new Error("sudo is not here");
  };
  await expect(holdNamespace({ ...tools, map }, mapping)).rejects.toThrow("sudo is not here");
  const running = runningAt(held);
  expect(running !== undefined && isRunning(running)).toBe(false);
});

test("paths stay what they are, and nothing else of what is closed is there", async () => {
  const [closed, wanted] = [join(home, "closed"), join(home, "closed/state/cluster")];
  mkdirSync(wanted, { recursive: true });
  writeFileSync(join(closed, "secret"), "secret");
  writeFileSync(join(closed, "host.json"), "{}");
  writeFileSync(join(wanted, "file"), "here");
  for (const path of [home, join(closed, "state"), wanted]) chmodSync(path, 0o711);
  chmodSync(closed, 0o700);
  if (isRoot) execFileSync("chown", ["-R", `${person}:${person}`, home]);
  const pid = await holdNamespace(tools, mapping);
  const paths = [wanted, join(closed, "host.json"), "/usr"];
  const line = [
    ...enterLine("/usr/bin/nsenter", pid),
    ...passageLine("/usr/bin/unshare", paths, (path) => path !== closed),
  ];
  const asOther = isRoot
    ? ["/usr/bin/setpriv", "--reuid=7", "--regid=7", "--clear-groups", "--"]
    : [];
  expect(run([...line, ...asOther, "/bin/ls", closed])).toBe("host.json\nstate");
  expect(run([...line, "/bin/cat", join(closed, "host.json")])).toBe("{}");
  if (isRoot) chmodSync(join(wanted, "file"), 0o644);
  expect(run([...line, ...asOther, "/bin/cat", join(wanted, "file")])).toBe("here");
  run([...line, "/usr/bin/touch", join(wanted, "made")]);
  expect(run(["/bin/ls", wanted])).toBe("file\nmade");
  expect(passageLine("/usr/bin/unshare", ["/usr"])).toEqual([]);
});
