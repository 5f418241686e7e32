import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLogScrub } from "../../../host/observe/log-scrub.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "miosa-scrub-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const moment = "2026-11-23 04:13:18.925 UTC [7] 42601 ";
const file = (day = 1) => join(directory, `postgres-2026-11-0${day}T000000.log`);
const write = (text: string, day = 1) => appendFileSync(file(day), text);
const read = (day = 1) => readFileSync(file(day), "utf8");

test("passwords are hidden where they stand, and nothing moves", async () => {
  const lines = [`${moment}ERROR:  division by zé\u00a0ro`, `${moment}ERROR:  at or near "s3cret"`];
  write(`${lines.join("\n")}\n`);
  await createLogScrub(directory)();
  expect(read()).toBe(`${lines.join("\n").replace("s3cret", "******")}\n`);
});

test("an entry that comes in pieces is hidden to its end, also by the next program", async () => {
  const scrub = createLogScrub(directory);
  write(`${moment}ERROR:  unterminated quoted string at or near "'s3`);
  await scrub();
  write("cret\n");
  await scrub();
  write("\tmore s3cret");
  await createLogScrub(directory)();
  write('\n\tand s3cret" at character 9\n');
  await createLogScrub(directory)();
  write(`${moment}ERROR:  plain\n`);
  await scrub();
  expect(read()).not.toMatch(/s3|cret/);
  expect(read()).toMatch(/plain\n$/);
});

test("each file is looked at, and an entry of megabytes hides nothing but itself", async () => {
  const scrub = createLogScrub(directory);
  write(`${moment}ERROR:  password 's3cret' ${"s3cret\n\t".repeat(100_000)}\n`);
  write(`${moment}ERROR:  plain one\n`);
  write(`${moment}ERROR:  at or near "s3cret"\n${moment}ERROR:  plain two\n`, 2);
  await scrub();
  write(`${moment}ERROR:  at or near "s3cret"\n`, 2);
  await scrub();
  expect(read().slice(70_000) + read(2)).not.toMatch(/s3|cret/);
  expect(read()).toMatch(/plain one\n$/);
  expect(read(2)).toMatch(/plain two/);
});
