import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openLedgers } from "../../../host/store/ledger.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "miosa-ledger-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const one = { bytes: 1, mark: "m" };

describe("a ledger", () => {
  test("is the same to all that use it at a time, and after a restart", async () => {
    const ledgers = openLedgers(directory);
    await ledgers.use("a", async (ledger) => {
      ledger.note("x", one);
      ledger.note("y", one);
      await ledgers.use("a", async (same) => same.strike(["y"]));
      expect(ledger.keys()).toEqual(["x"]);
    });
    await openLedgers(directory).use("a", async (ledger) => {
      expect(ledger.keys()).toEqual(["x"]);
      expect(ledger.get("x")).toEqual(one);
      expect(ledger.listedAt).toBe(0);
    });
  });

  test("is read up to a line that a crash has torn", async () => {
    await openLedgers(directory).use("a", async (ledger) => ledger.note("x", one));
    appendFileSync(join(directory, "a.jsonl"), '["+","y",');
    await openLedgers(directory).use("a", async (ledger) => expect(ledger.keys()).toEqual(["x"]));
  });

  test("takes what the store has, but for what became of it meanwhile", async () => {
    await openLedgers(directory).use("a", async (ledger) => {
      for (const key of ["same", "other", "lost", "struck"]) ledger.note(key, one);
      const take = ledger.list();
      ledger.note("new", one);
      ledger.strike(["struck"]);
      const found = { same: 1, other: 2, struck: 1, unknown: 3 };
      take(new Map(Object.entries(found)), 5);
      expect(ledger.keys().toSorted()).toEqual(["new", "other", "same", "unknown"]);
      expect(ledger.get("same")).toEqual(one);
      expect(ledger.get("other")).toEqual({ bytes: 2, mark: "" });
    });
    await openLedgers(directory).use("a", async (ledger) => {
      expect(ledger.listedAt).toBe(5);
      expect(ledger.keys()).toHaveLength(4);
    });
  });

  test("does not grow with what it says no more", async () => {
    await openLedgers(directory).use("a", async (ledger) => {
      for (let n = 0; n < 20_000; n++) ledger.note("x", { bytes: n, mark: "" });
    });
    const lines = readFileSync(join(directory, "a.jsonl"), "utf8").split("\n").length;
    expect(lines).toBeLessThan(1100);
    await openLedgers(directory).use("a", async (ledger) => {
      expect(ledger.get("x")?.bytes).toBe(19_999);
    });
  });
});
