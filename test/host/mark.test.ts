import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openMark } from "../../host/mark.ts";

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "mark-"));
  file = join(directory, "mark.json");
});
afterEach(() => rmSync(directory, { recursive: true }));

const epoch = "019a0000-0000-7000-8000-000000000001";
const another = "019a0000-0000-7000-8000-000000000002";

test("the first mark is taken over, and so is each later one, also after a restart", () => {
  expect(openMark(file)({ epoch, tick: 3 }, false)).toEqual({ known: null });
  expect(openMark(file)({ epoch, tick: 4 }, false)).toEqual({ known: { epoch, tick: 3 } });
});

test("an older one, or another D1's, is told what is known and does not take its place", () => {
  const take = openMark(file);
  take({ epoch, tick: 9 }, false);
  const known = { known: { epoch, tick: 9 } };
  expect(take({ epoch, tick: 2 }, false)).toEqual(known);
  expect(take({ epoch: another, tick: 1 }, false)).toEqual(known);
  expect(take({ epoch, tick: 10 }, false)).toEqual(known);
});

test("whatever it is, it is taken over when somebody says so", () => {
  const take = openMark(file);
  take({ epoch, tick: 9 }, false);
  take({ epoch: another, tick: 1 }, true);
  expect(take({ epoch: another, tick: 2 }, false)).toEqual({ known: { epoch: another, tick: 1 } });
});
