import { appendFileSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createErrorCount, searchLogs } from "../../host/log-search.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "miosa-log-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

let clock = 0;
function render(database: string, message: string): string {
  const at = new Date(Date.UTC(2026, 0, 1) + clock++).toISOString();
  const moment = at.replace("T", " ").replace("Z", " UTC");
  const middle = `${"=".repeat(32)} ${database} ${"=".repeat(64)}`;
  return `${moment} [7] 42P01 (client backend) ${middle} ERROR:  ${message}\n`;
}
function log(database: string, message: string, file = "postgres-2026-01-01.log"): void {
  appendFileSync(join(directory, file), render(database, message));
}

const messages = ({ lines }: { lines: readonly { message: string }[] }) =>
  lines.map(({ message }) => message);
const search = (lines: number, more = {}) =>
  searchLogs(directory, { database: "proj_a", lines, ...more });

test("the last lines of a database are found, oldest first, among its neighbours'", async () => {
  for (let n = 0; n < 30; n++) log(n % 3 === 0 ? "proj_a" : "proj_b", `m${n}`);
  expect(messages(await search(3))).toEqual(["m21", "m24", "m27"]);
  expect(messages(await search(100))).toHaveLength(10);
});

test("lines are found across files and pieces of a megabyte", async () => {
  log("proj_a", "first", "postgres-2025-12-31.log");
  for (let n = 0; n < 3000; n++) log("proj_b", "x".repeat(1000));
  log("proj_a", "last");
  expect(messages(await search(5))).toEqual(["first", "last"]);
});

test("a cursor goes on without loss or repetition, across a rotation", async () => {
  const pooler = "pgbouncer-transaction.log";
  const write = (n: number) =>
    appendFileSync(
      join(directory, pooler),
      `2026-01-01 00:00:00.${String(n).padStart(3, "0")} UTC [1] LOG C-0x1: proj_a/u@a:1 p${n}\n`,
    );
  log("proj_a", "m0", "postgres-2026-01-01.log");
  write(1);
  const first = await search(10);
  expect(first.lines).toHaveLength(2);
  write(2);
  renameSync(join(directory, pooler), join(directory, `${pooler}.1`));
  write(3);
  log("proj_a", "m1", "postgres-2026-01-02.log");
  log("proj_b", "not mine", "postgres-2026-01-02.log");
  const second = await search(10, { after: first.cursor });
  expect(messages(second).sort()).toEqual(["m1", "u@a:1 p2", "u@a:1 p3"]);
  const third = await search(10, { after: second.cursor });
  expect(third.lines).toEqual([]);
  expect(second.cursor.length).toBeLessThanOrEqual(400);
});

test("a line that is half written is told once it is whole", async () => {
  log("proj_a", "m0");
  const { cursor } = await search(1);
  const file = join(directory, "postgres-2026-01-01.log");
  const whole = render("proj_a", "m1");
  appendFileSync(file, whole.slice(0, 150));
  const half = await search(1, { after: cursor });
  expect(half.lines).toEqual([]);
  const begun = await search(1);
  appendFileSync(file, whole.slice(150));
  for (const { cursor: after } of [half, begun]) {
    expect(messages(await search(1, { after }))).toEqual(["m1"]);
  }
});

test("who follows gets no more lines than asked for, and the others next", async () => {
  log("proj_a", "m0");
  const slow = (n: number) =>
    appendFileSync(
      join(directory, "slow-2026-01-01.log"),
      `2026-01-01 00:00:00.00${n} UTC proj_a s${n}\n`,
    );
  clock = 1;
  let { cursor } = await search(10);
  for (const n of [1, 2, 3]) {
    log("proj_a", `m${n}`);
    slow(n);
  }
  const told: string[] = [];
  for (const lines of [1, 2, 1, 5]) {
    const found = await search(lines, { after: cursor });
    expect(found.lines.length).toBeLessThanOrEqual(lines);
    told.push(...messages(found));
    cursor = found.cursor;
  }
  expect(told).toEqual(["m1", "s1", "m2", "s2", "m3", "s3"]);
  expect((await search(9, { after: cursor })).lines).toEqual([]);
});

test("an entry of megabytes costs no line of the others", async () => {
  log("proj_a", "m0");
  const { cursor } = await search(1);
  log("proj_a", "x".repeat(3_000_000));
  log("proj_a", "m1");
  const found = messages(await search(3));
  expect([found.at(0), found.at(-1)]).toEqual(["m0", "m1"]);
  expect(messages(await search(9, { after: cursor })).at(-1)).toBe("m1");
});

test("since a moment, and nothing before it", async () => {
  log("proj_a", "old");
  const since = new Date(Date.UTC(2026, 0, 1) + clock).toISOString();
  log("proj_a", "new");
  expect(messages(await search(10, { since }))).toEqual(["new"]);
});

test("errors are counted by database, each once, across a rotation", async () => {
  log("proj_a", "before the first look");
  const count = createErrorCount(directory);
  expect([...(await count())]).toEqual([]);
  log("proj_a", "one");
  log("proj_a", "two", "postgres-2026-01-02.log");
  log("proj_b", "three", "postgres-2026-01-02.log");
  expect(Object.fromEntries(await count())).toEqual({ proj_a: 2, proj_b: 1 });
  expect([...(await count())]).toEqual([]);
});
