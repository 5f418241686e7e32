import { appendFileSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { countErrors, searchLogs } from "../../host/log-search.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "miosa-log-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

let clock = 0;
function log(database: string, message: string, file = "postgres-2026-01-01.json"): void {
  const at = new Date(Date.UTC(2026, 0, 1) + clock++).toISOString();
  const timestamp = `${at.replace("T", " ").replace("Z", "")} UTC`;
  const line = { timestamp, dbname: database, error_severity: "ERROR", message };
  appendFileSync(join(directory, file), `${JSON.stringify(line)}\n`);
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
  log("proj_a", "first", "postgres-2025-12-31.json");
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
  log("proj_a", "m0");
  write(1);
  const first = await search(10);
  expect(first.lines).toHaveLength(2);
  write(2);
  renameSync(join(directory, pooler), join(directory, `${pooler}.1`));
  write(3);
  log("proj_a", "m1", "postgres-2026-01-02.json");
  log("proj_b", "not mine", "postgres-2026-01-02.json");
  const second = await search(10, { after: first.cursor });
  expect(messages(second).sort()).toEqual(["m1", "u@a:1 p2", "u@a:1 p3"]);
  const third = await search(10, { after: second.cursor });
  expect(third.lines).toEqual([]);
  expect(second.cursor.length).toBeLessThanOrEqual(200);
});

test("a line that is half written is told once it is whole", async () => {
  log("proj_a", "m0");
  const { cursor } = await search(1);
  const file = join(directory, "postgres-2026-01-01.json");
  const whole = JSON.stringify({
    timestamp: "2026-01-01 00:00:01.000 UTC",
    dbname: "proj_a",
    error_severity: "ERROR",
    message: "m1",
  });
  appendFileSync(file, whole.slice(0, 20));
  const half = await search(1, { after: cursor });
  expect(half.lines).toEqual([]);
  appendFileSync(file, `${whole.slice(20)}\n`);
  expect(messages(await search(1, { after: half.cursor }))).toEqual(["m1"]);
});

test("since a moment, and nothing before it", async () => {
  log("proj_a", "old");
  const since = new Date(Date.UTC(2026, 0, 1) + clock).toISOString();
  log("proj_a", "new");
  expect(messages(await search(10, { since }))).toEqual(["new"]);
});

test("errors are counted by database, each once", async () => {
  log("proj_a", "before the first look");
  const begin = await countErrors(directory, null);
  expect([...begin.counts]).toEqual([]);
  log("proj_a", "one");
  log("proj_a", "two");
  log("proj_b", "three");
  const { counts, cursor } = await countErrors(directory, begin.cursor);
  expect(Object.fromEntries(counts)).toEqual({ proj_a: 2, proj_b: 1 });
  expect([...(await countErrors(directory, cursor)).counts]).toEqual([]);
});
