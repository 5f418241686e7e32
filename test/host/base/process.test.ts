import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { endProcess, findProcess } from "../../../host/base/process.ts";

const identity = { program: "sleep", argument: "1234" };
let directory: string;
let child: ChildProcess;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "process-"));
  child = spawn("sleep", ["1234"]);
  await once(child, "spawn");
  // For a moment after exec a process has no command line.
  await vi.waitUntil(() => readFileSync(`/proc/${child.pid}/cmdline`, "utf8") !== "");
});
afterEach(() => {
  child.kill("SIGKILL");
  rmSync(directory, { recursive: true });
});

function pidFile(text: string): string {
  const file = join(directory, "pid");
  writeFileSync(file, text);
  return file;
}

describe("a pid file", () => {
  test("finds the process it names when that is the program meant", () => {
    expect(findProcess(pidFile(`${child.pid}\n/more\n`), identity)).toBe(child.pid);
  });

  test.each([
    { program: "postgres", argument: "1234" },
    { program: "sleep", argument: "12345" },
  ])("finds nothing when its pid went to another process than %o", (other) => {
    expect(findProcess(pidFile(`${child.pid}\n`), other)).toBeUndefined();
  });

  test.each(["", "x", "0", "-1", "1", "4194305"])("finds nothing when it says %j", (text) => {
    expect(findProcess(pidFile(text), identity)).toBeUndefined();
  });

  test("finds nothing when there is none", () => {
    expect(findProcess(join(directory, "none"), identity)).toBeUndefined();
  });
});

describe("ending a process", () => {
  test("waits until it is gone", async () => {
    expect(await endProcess(child.pid ?? 0, identity, "SIGTERM", 5)).toBe(true);
    expect(findProcess(pidFile(`${child.pid}`), identity)).toBeUndefined();
  });

  test("leaves a process alone that is not the one meant", async () => {
    const other = { ...identity, argument: "99" };
    expect(await endProcess(child.pid ?? 0, other, "SIGKILL", 5)).toBe(true);
    expect(findProcess(pidFile(`${child.pid}`), identity)).toBe(child.pid);
  });
});
