import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createRecord } from "../../local/launch/leftover.ts";

let home: string;
let child: ChildProcess;
const argument = "/leftover-test/host.json";

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "leftover-"));
  child = spawn(process.execPath, ["-e", "setInterval(() => 0, 1000)", "--", argument]);
  await once(child, "spawn");
});
afterEach(() => {
  child.kill("SIGKILL");
  rmSync(home, { recursive: true });
});

const file = () => join(home, "processes.json");

test("a process of an earlier start is ended, however that start ended", async () => {
  createRecord(file()).add("host program", argument, child.pid ?? 0);
  const ended = once(child, "exit");
  await createRecord(file()).takeOver();
  await expect(ended).resolves.toEqual([null, "SIGKILL"]);
  expect(JSON.parse(readFileSync(file(), "utf8"))).toEqual({});
});

test("a process that has the pid by now but is another one is left alone", async () => {
  createRecord(file()).add("host program", "/leftover-test/other.json", child.pid ?? 0);
  await createRecord(file()).takeOver();
  expect(child.exitCode).toBeNull();
  expect(child.kill(0)).toBe(true);
});

test("a record that nobody made ends nothing", async () => {
  await createRecord(file()).takeOver();
  writeFileSync(file(), "{}");
  await createRecord(file()).takeOver();
  expect(child.kill(0)).toBe(true);
});
