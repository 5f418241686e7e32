// What Postgres' log says of where a replay ended, and what follows from it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isWorthTrying } from "../../../host/recovery/candidate.ts";
import { renamed } from "../../../host/recovery/rename.ts";
import { checkEnd, endOfReplay, evidenceIn } from "../../../host/recovery/replay.ts";

let wal: string;
beforeEach(() => {
  wal = mkdtempSync(join(tmpdir(), "replay-"));
});
afterEach(() => rmSync(wal, { recursive: true }));

const at = "2026-11-28 12:00:00.000 UTC [4] 00000 (startup) LOG:  ";
const redo = `${at}redo done at 0/C00028 system usage: CPU: user: 0.00 s\n`;
const names = [3, 4].map((number) => `00000001000000000000000${number}`);

describe("a replay", () => {
  test("ended where the first record was that is none", () => {
    const said = `${at}invalid record length at 0/1000060: expected at least 24, got 0\n${redo}`;
    expect(endOfReplay(said)).toBe("0/1000060");
    expect(endOfReplay(redo)).toBe("0/C00028");
    expect(endOfReplay("nothing")).toBeUndefined();
  });

  test("that ended before the last segment met a damaged one, which is named", () => {
    const early = `${at}incorrect resource manager data checksum in record at 0/D00060\n${redo}`;
    expect(() => checkEnd(early, names, wal)).toThrow(/000000010000000000000003 of WAL is damaged/);
    const late = `${at}invalid record length at 0/1000060: expected at least 24, got 0\n${redo}`;
    expect(() => checkEnd(late, names, wal)).not.toThrow();
  });

  test("says why it stopped", () => {
    const stop = "recovery stopping before commit of transaction 7, time 2026-11-28 12:00:00+00";
    expect(evidenceIn(`${at}${stop}\n${redo.replace("redo done", "x")}`)).toBe(stop);
    expect(evidenceIn("")).toBeNull();
  });
});

test("of base backups that build on one that is damaged, that one itself is tried last", () => {
  const full = "20260101-000000F";
  const [one, two, three] = ["1", "2", "3"].map((number) => `${full}_20260102-00000${number}I`);
  expect(isWorthTrying(one ?? "", [])).toBe(true);
  expect(isWorthTrying(one ?? "", [one ?? ""])).toBe(false);
  expect(isWorthTrying(three ?? "", [one ?? "", two ?? ""])).toBe(false);
  expect(isWorthTrying(full, [one ?? "", two ?? ""])).toBe(true);
});

test("what belongs to a table is named after its new name, as far as names go", () => {
  const wish = { name: "orders", as: "orders_before" };
  expect(renamed("orders_pkey", wish, new Set())).toBe("orders_before_pkey");
  expect(renamed("by_price", wish, new Set())).toBe("orders_before_by_price");
  const taken = new Set(["orders_before_pkey"]);
  expect(renamed("orders_pkey", wish, taken)).toBe("orders_before_pkey1");
  const long = { name: "t", as: "ü".repeat(31) };
  const name = renamed(`t${"x".repeat(60)}`, long, new Set());
  expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63);
  expect(name.endsWith("x")).toBe(true);
});
