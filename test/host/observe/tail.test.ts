import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cutLog } from "../../../host/instance/log.ts";
import { createTails, type Tails } from "../../../host/observe/tail.ts";

let directory: string;
let file: string;
let tails: Tails;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "miosa-tail-"));
  file = join(directory, "postgres.log");
  tails = createTails();
});
afterEach(() => rmSync(directory, { recursive: true }));

let clock = 0;
function entry(message: string, login = "usr_a", severity = "ERROR"): string {
  const at = new Date(Date.UTC(2026, 0, 1) + clock++).toISOString();
  const moment = at.replace("T", " ").replace("Z", " UTC");
  return `${moment} [7] 42601 (client backend) ${login} ${severity}:  ${message}\n`;
}
const say = (text: string) => appendFileSync(file, text);
const look = () => tails.begin()(file);

test("errors of the tenant are counted once, from the first look on", () => {
  say(entry("before"));
  expect(look()).toBe(0);
  say(entry("one") + entry("two") + entry("loud", "usr_a", "WARNING"));
  say(entry("the platform's own", "miosa") + entry("a dump's", "miosa_dump"));
  expect([look(), look()]).toEqual([2, 0]);
});

test("an error is counted when all of it is there", () => {
  look();
  const text = entry("written in two");
  say(text.slice(0, 60));
  expect(look()).toBe(0);
  say(text.slice(60));
  expect(look()).toBe(1);
});

test("a log that comes later is counted from its begin, and so is one that was cut", () => {
  tails.begin();
  say(entry("of a new one"));
  expect(look()).toBe(1);
  say(entry("x".repeat(500)));
  expect(look()).toBe(1);
  expect(cutLog(file, 100, 50)).toBe(true);
  expect(look()).toBe(0);
  say(entry("after it was cut"));
  expect(look()).toBe(1);
});

test("passwords are hidden where they stand, also in what was said before the first look", () => {
  say(entry(`syntax error at or near "s3cret_one"`));
  look();
  say(entry(`syntax error at or near "s3cret_two"`));
  say(entry(`unterminated quoted string at or near "'s3cret_three\n\ts3cret_four"`));
  const bytes = readFileSync(file).length;
  look();
  const text = readFileSync(file, "utf8");
  expect(text).not.toContain("s3cret");
  expect([text.length, text.split("\n").length]).toEqual([bytes, 5]);
  say(entry(`at or near "s3cret_five"`));
  cutLog(file, 10, 1000);
  say(entry("the next"));
  look();
  expect(readFileSync(`${file}.1`, "utf8")).not.toContain("s3cret");
});

test("a message without an end holds nobody up", () => {
  look();
  say(entry("x".repeat(3 * 256 * 1024)));
  say(entry("after it"));
  expect([look(), look()]).toEqual([2, 0]);
});
