import { closeSync, mkdtempSync, readFileSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cutLog, lastLines, openLog } from "../../local/launch/log-file.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "log-"));
});
afterEach(() => rmSync(home, { recursive: true }));

test("a log that is too long is set aside while its writer goes on", () => {
  const file = join(home, "worker.log");
  const log = openLog(file);
  writeSync(log, "before\n");
  expect(cutLog(file, 3)).toBe(true);
  writeSync(log, "after\n");
  closeSync(log);
  expect(readFileSync(`${file}.1`, "utf8")).toBe("before\n");
  expect(readFileSync(file, "utf8")).toBe("after\n");
});

test("a log within its bound stays", () => {
  const file = join(home, "worker.log");
  closeSync(openLog(file));
  expect(cutLog(file, 3)).toBe(false);
  expect(cutLog(join(home, "none.log"), 3)).toBe(false);
});

test("only its owner may read a log", () => {
  const file = join(home, "worker.log");
  closeSync(openLog(file));
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test("the last lines are the last ones", () => {
  const file = join(home, "worker.log");
  const log = openLog(file);
  writeSync(log, "one\ntwo\nthree\n");
  closeSync(log);
  expect(lastLines(file, 2)).toBe("two\nthree");
});
