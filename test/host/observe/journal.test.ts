import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openJournal } from "../../../host/observe/journal.ts";

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "journal-"));
  file = join(directory, "transition.jsonl");
});
afterEach(() => rmSync(directory, { recursive: true }));

test("transitions are told in order, from any number on, with their exact time", () => {
  const journal = openJournal(file);
  journal.record("proj_a", "suspended", 1_700_000_000_123);
  journal.record("proj_b", "suspended", 1_700_000_000_200);
  journal.record("proj_a", "woken", 1_700_000_001_000);
  const seqs = (seq: number, limit: number) => journal.after(seq, limit).map((one) => one.seq);
  expect([seqs(0, 10), seqs(1, 1), seqs(3, 10)]).toEqual([[1, 2, 3], [2], []]);
  expect(journal.after(0, 1)[0]?.at).toBe("2023-11-14T22:13:20.123Z");
  expect(journal.lastOf("proj_a")).toBe("woken");
});

test("numbers go on after a crash, also one that tore the last line", () => {
  openJournal(file).record("proj_a", "suspended", 0);
  appendFileSync(file, '{"seq":2,"database":"pro');
  const journal = openJournal(file);
  journal.record("proj_a", "woken", 1);
  expect(
    openJournal(file)
      .after(0, 10)
      .map(({ seq, to }) => [seq, to]),
  ).toEqual([
    [1, "suspended"],
    [2, "woken"],
  ]);
});

test("the oldest are given up when there are many, and their numbers are not used again", () => {
  const line = (seq: number) =>
    JSON.stringify({ seq, database: "proj_a", to: "woken", at: new Date(seq).toISOString() });
  const lines = Array.from({ length: 19_999 }, (_, index) => `${line(index + 1)}\n`);
  appendFileSync(file, lines.join(""));
  const journal = openJournal(file);
  journal.record("proj_a", "suspended", 0);
  expect(journal.after(0, 1)[0]?.seq).toBe(10_000);
  expect(journal.lastSeq()).toBe(20_000);
  expect(readFileSync(file, "utf8").split("\n").length).toBeLessThan(20_000);
});
