import { expect, test } from "vitest";
import { ManifestRefused } from "../../host/manifest-view.ts";
import {
  attemptAfter,
  isWorthTrying,
  NoBaseBackup,
  NoRoom,
  type Tried,
  verdictOf,
  type Way,
} from "../../host/recovery-attempt.ts";

const filtered: Way = { method: "filtered", repository: 1 };
const stock: Way = { method: "stock", repository: 1 };
const stored: Way = { method: "stock", repository: 2 };

const storeThat = (reason: string | null) => ({
  store: { status: () => ({ copied_wal: null, behind_since: null, reason }) },
});
const none = { store: undefined };
const well = storeThat(null);
const down = storeThat("the store does not answer");

const failed = (way: Way, verdict: Tried["verdict"], label = "a"): Tried => ({
  way,
  label,
  verdict,
});
const inView = (message: string) =>
  verdictOf({ error: new Error(message), step: "view", label: "a" });

test("the first attempt is a view of the first repository", () => {
  expect(attemptAfter([], well)).toEqual({ way: filtered, without: [] });
});

test("a manifest that is not cut down is restored as pgBackRest does it", () => {
  const tried = [failed(filtered, "damaged", "b"), failed(filtered, "refused")];
  expect(attemptAfter(tried, none)).toEqual({ way: stock, without: ["b"] });
});

test("without a store a damaged base backup leads to older ones, until there is none", () => {
  const tried = [failed(filtered, "damaged", "b"), failed(filtered, "damaged")];
  expect(attemptAfter(tried, none)).toEqual({ way: filtered, without: ["b", "a"] });
  expect(attemptAfter([...tried, failed(filtered, "spent")], none)).toBeUndefined();
});

test("with a store the repositories take turns", () => {
  const tried = [failed(filtered, "damaged", "b")];
  expect(attemptAfter(tried, well)).toEqual({ way: stored, without: [] });
  tried.push(failed(stored, "damaged", "s"));
  expect(attemptAfter(tried, well)).toEqual({ way: filtered, without: ["b"] });
  tried.push(failed(filtered, "damaged", "a"));
  expect(attemptAfter(tried, well)).toEqual({ way: stored, without: ["s"] });
});

test("a store that is down comes after all of the first repository", () => {
  const tried = [failed(filtered, "damaged", "b")];
  expect(attemptAfter(tried, down)).toEqual({ way: filtered, without: ["b"] });
  tried.push(failed(filtered, "spent"));
  expect(attemptAfter(tried, down)).toEqual({ way: stored, without: [] });
});

test("what is wrong with a whole repository leads to the other one, and to no third", () => {
  const tried = [failed(filtered, "spent")];
  expect(attemptAfter(tried, well)).toEqual({ way: stored, without: [] });
  expect(attemptAfter(tried, none)).toBeUndefined();
  expect(attemptAfter([...tried, failed(stored, "spent")], well)).toBeUndefined();
  const other = [failed(filtered, "damaged", "b"), failed(stored, "spent")];
  expect(attemptAfter(other, well)).toEqual({ way: filtered, without: ["b"] });
});

test("on a full disk nothing more is tried", () => {
  const verdict = verdictOf({ error: new NoRoom("full"), step: "restore", label: "a" });
  expect(attemptAfter([failed(filtered, verdict)], well)).toBeUndefined();
});

test("errors of files are told from those of circumstance", () => {
  expect(inView("pgbackrest failed: ERROR: [095]: unable to flush")).toBe("damaged");
  expect(inView("pgbackrest failed: ERROR: [055]: unable to open missing file")).toBe("damaged");
  expect(inView("pgbackrest failed: ERROR: [050]: unable to acquire lock")).toBe("spent");
  expect(inView("pgbackrest failed: ERROR: [042]: timeout after 10000ms")).toBe("spent");
  expect(inView("pgbackrest failed: ERROR: [039]: HTTP request failed with 403")).toBe("spent");
  expect(inView("pgbackrest failed: it ended with SIGKILL")).toBe("spent");
  const error = new ManifestRefused("The manifest's format is not known.");
  expect(verdictOf({ error, step: "view", label: "a" })).toBe("refused");
  const none = new NoBaseBackup("No base backup is older than the target.");
  expect(verdictOf({ error: none, step: "choose", label: null })).toBe("spent");
});

test("damaged WAL is no reason to try another base backup of the same repository", () => {
  const error = new Error("Recovery failed: recovery ended before configured recovery target");
  expect(verdictOf({ error, step: "replay", label: "a" })).toBe("spent");
});

test("of those that build on one full backup two are tried, then that one itself", () => {
  const full = "20260101-000000F";
  const [one, two, three] = [1, 2, 3].map((n) => `${full}_20260101-0${n}0000I`);
  const without = [three ?? "", two ?? ""];
  expect(isWorthTrying(two ?? "", without.slice(0, 1))).toBe(true);
  expect(isWorthTrying(one ?? "", without)).toBe(false);
  expect(isWorthTrying(full, without)).toBe(true);
  expect(isWorthTrying(full, [...without, full])).toBe(false);
  expect(isWorthTrying("20251231-000000F_20251231-010000I", [...without, full])).toBe(true);
});
