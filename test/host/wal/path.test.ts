// Which segments a recovery reads, one after the other.
import { describe, expect, test } from "vitest";
import { segmentBytes } from "../../../host/instance/size.ts";
import { isOfLineage, walPath } from "../../../host/wal/path.ts";

const at = (timeline: number, number: number) =>
  `0000000${timeline}00000000${number.toString(16).toUpperCase().padStart(8, "0")}`;
const lsn = (segment: number) => BigInt(segment) * BigInt(segmentBytes);
const first = { timeline: "00000001", ancestors: new Map() };

describe("a path of WAL", () => {
  test("goes on to the last segment of its timeline", () => {
    const there = [at(1, 3), at(1, 2), at(1, 1), at(2, 9), "00000002.history"];
    expect(walPath(first, at(1, 2), there)).toEqual({ names: [at(1, 2), at(1, 3)], missing: null });
  });

  test("breaks off before one that is missing", () => {
    const there = [at(1, 2), at(1, 4)];
    expect(walPath(first, at(1, 2), there)).toEqual({ names: [at(1, 2)], missing: at(1, 3) });
    expect(walPath(first, at(1, 3), there)).toEqual({ names: [], missing: at(1, 3) });
    expect(walPath(first, at(1, 7), there)).toEqual({ names: [], missing: at(1, 7) });
  });

  test("changes to a younger timeline where that was begun", () => {
    const ancestors = new Map([["00000001", lsn(3) + 100n]]);
    const there = [at(1, 2), at(1, 3), at(1, 4), at(2, 3), at(2, 4)];
    expect(walPath({ timeline: "00000002", ancestors }, at(1, 2), there).names).toEqual([
      ...[at(1, 2), at(2, 3), at(2, 4)],
    ]);
    const young = walPath({ timeline: "00000002", ancestors }, at(1, 2), there.slice(0, 3));
    expect(young).toEqual({ names: [at(1, 2), at(1, 3)], missing: null });
  });
});

test("a timeline is of a lineage up to where it was left", () => {
  const lineage = { timeline: "00000003", ancestors: new Map([["00000001", lsn(5)]]) };
  expect(isOfLineage(lineage, "00000003", lsn(9))).toBe(true);
  expect(isOfLineage(lineage, "00000001", lsn(5))).toBe(true);
  expect(isOfLineage(lineage, "00000001", lsn(6))).toBe(false);
  expect(isOfLineage(lineage, "00000002", lsn(1))).toBe(false);
});
