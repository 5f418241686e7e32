// The script that a clean clone runs first, with an npm that only writes down that it was run.
import { execFile } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";

const script = "local/install/dependencies.sh";
let clone: string;

beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), "clone-"));
  mkdirSync(join(clone, "local/install"), { recursive: true });
  mkdirSync(join(clone, "bin"));
  copyFileSync(join(import.meta.dirname, "../..", script), join(clone, script));
  writeFileSync(join(clone, "package-lock.json"), "{}");
  writeFileSync(join(clone, "calls"), "");
  writeNpm("mkdir -p node_modules/.bin && echo {} >node_modules/.package-lock.json");
});
afterEach(() => rmSync(clone, { recursive: true }));

function writeNpm(effect: string): void {
  const npm = join(clone, "bin/npm");
  writeFileSync(npm, `#!/bin/sh\necho "$@" >>calls\n${effect}\n`);
  chmodSync(npm, 0o755);
}

function install() {
  const path = [join(clone, "bin"), dirname(process.execPath), process.env.PATH].join(":");
  return promisify(execFile)("sh", [join(clone, script)], {
    cwd: "/",
    env: { PATH: path },
    encoding: "utf8",
  });
}

const calls = () => readFileSync(join(clone, "calls"), "utf8").split("\n").filter(Boolean);

test("a clean clone gets its packages, without running their scripts", async () => {
  await install();
  expect(calls()).toEqual(["ci --ignore-scripts --no-audit --no-fund"]);
});

test("a second start does none of it again", async () => {
  await install();
  const { stderr } = await install();
  expect(calls()).toHaveLength(1);
  expect(stderr).toBe("");
});

test("two starts at once install once", async () => {
  await Promise.all([install(), install()]);
  expect(calls()).toHaveLength(1);
});

test("a changed lock file installs again", async () => {
  await install();
  appendFileSync(join(clone, "package-lock.json"), "\n");
  await install();
  expect(calls()).toHaveLength(2);
});

test("an install that was cut short is made again", async () => {
  writeNpm("mkdir -p node_modules && exit 1");
  await expect(install()).rejects.toThrow("npm ci failed");
  writeNpm("echo {} >node_modules/.package-lock.json");
  await install();
  expect(calls()).toHaveLength(2);
});
