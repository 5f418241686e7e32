import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cutLog, readCut } from "../../../host/instance/log.ts";

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "log-"));
  file = join(directory, "postgres.log");
});
afterEach(() => rmSync(directory, { recursive: true }));

test("a log that is too long is cut, and its end is kept beside it", () => {
  appendFileSync(file, `${"a".repeat(500)}the end`);
  expect(cutLog(file, 100, 7)).toBe(true);
  const kept = readFileSync(`${file}.1`, "utf8");
  expect([statSync(file).size, kept]).toEqual([
    0,
    expect.stringMatching(/^cut [^ ]+ 500\nthe end$/),
  ]);
  // A place in it is told by how far it was from the begin of the whole.
  expect((readCut(file)?.missing ?? 0) + kept.indexOf("the end")).toBe(500);
});

test("one that is not stays as it is, and so does one that is not there", () => {
  expect(cutLog(file, 100, 7)).toBe(false);
  appendFileSync(file, "short");
  expect([cutLog(file, 100, 7), readFileSync(file, "utf8")]).toEqual([false, "short"]);
});
