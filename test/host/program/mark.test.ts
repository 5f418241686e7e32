import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openMark } from "../../../host/program/mark.ts";

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "mark-"));
  file = join(directory, "mark.json");
});
afterEach(() => rmSync(directory, { recursive: true }));

const id = (n: number) => `019a0000-0000-7000-8000-00000000000${n}`;
const mark = (n: number) => ({ epoch: id(0), state: id(n), at: "2026-11-28T09:00:00.000Z" });

test("the first mark is taken over, and so is each that follows it, also after a restart", () => {
  expect(openMark(file)(mark(1), [id(1)], false)).toEqual({ known: null });
  expect(openMark(file)(mark(2), [id(1), id(2)], false)).toEqual({ known: mark(1) });
  expect(openMark(file)(mark(2), [id(1), id(2)], false)).toEqual({ known: mark(2) });
});

test("one that follows another is told what is known and does not take its place", () => {
  const take = openMark(file);
  take(mark(5), [id(5)], false);
  expect(take(mark(7), [id(6), id(7)], false)).toEqual({ known: mark(5) });
  expect(take(mark(8), [id(8)], false)).toEqual({ known: mark(5) });
});

test("whatever it is, it is taken over when somebody says so", () => {
  const take = openMark(file);
  take(mark(5), [id(5)], false);
  take(mark(7), [id(7)], true);
  expect(take(mark(8), [id(7), id(8)], false)).toEqual({ known: mark(7) });
});
