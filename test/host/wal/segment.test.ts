// Names of segments and timelines, and what of a segment is written.
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { segmentBytes } from "../../../host/instance/size.ts";
import { endLsnOf, isSegment, readWritten, segmentAfter } from "../../../host/wal/segment.ts";
import {
  ancestorsOf,
  historiesBetween,
  lsnOf,
  noteTimeline,
  reserveTimeline,
  timelineAt,
} from "../../../host/wal/timeline.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "wal-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

describe("a segment", () => {
  test("is followed by the next one, also over the end of a log file", () => {
    const last = (0x1_0000_0000 / segmentBytes - 1).toString(16).toUpperCase().padStart(8, "0");
    expect(segmentAfter("000000010000000000000001")).toBe("000000010000000000000002");
    expect(segmentAfter(`0000000200000003${last}`)).toBe("000000020000000400000000");
    expect(isSegment("00000002.history")).toBe(false);
  });

  test("ends where the next one begins", () => {
    expect(lsnOf(endLsnOf("000000010000000000000001"))).toBe(2n * BigInt(segmentBytes));
    expect(lsnOf(endLsnOf("000000010000000200000000"))).toBe((2n << 32n) + BigInt(segmentBytes));
  });

  test("is written as far as its pages have its own addresses", () => {
    const name = "000000010000000000000003";
    const start = 3n * BigInt(segmentBytes);
    const pages = Buffer.alloc(5 * 8192);
    for (const page of [0, 1, 2, 4]) {
      pages.writeBigUInt64LE(start + BigInt(page * 8192), page * 8192 + 8);
    }
    // What a recycled file held before.
    pages.writeBigUInt64LE(BigInt(segmentBytes) + 3n * 8192n, 3 * 8192 + 8);
    const file = join(directory, name);
    writeFileSync(file, pages);
    const handle = openSync(file, "r");
    expect(readWritten(handle, name, 0, pages.length).length).toBe(3 * 8192);
    expect(readWritten(handle, name, 2 * 8192, pages.length).length).toBe(8192);
    expect(readWritten(handle, name, 3 * 8192, pages.length).length).toBe(0);
    closeSync(handle);
  });
});

describe("timelines", () => {
  test("are known by the time they were lived on", () => {
    const at = (minute: number) => new Date(Date.UTC(2026, 10, 28, 12, minute));
    expect(timelineAt(directory, at(0))).toBeUndefined();
    noteTimeline(directory, "00000001", at(10));
    noteTimeline(directory, "00000001", at(20));
    noteTimeline(directory, "00000003", at(30));
    expect([5, 15, 29, 30, 50].map((minute) => timelineAt(directory, at(minute)))).toEqual([
      ...["00000001", "00000001", "00000001", "00000003", "00000003"],
    ]);
    expect(timelineAt(directory, null)).toBe("00000003");
  });

  test("come from others, each left at an address", () => {
    const history = "1\t0/6000F28\tno recovery target specified\n\n2\t1/A0000028\tbefore 2026\n";
    writeFileSync(join(directory, "00000003.history"), history);
    expect([...ancestorsOf(directory, "00000003")]).toEqual([
      ["00000001", 0x6000f28n],
      ["00000002", 0x1_a000_0028n],
    ]);
    expect([...ancestorsOf(directory, "00000001")]).toEqual([]);
  });
});

describe("a new timeline", () => {
  test("has a number that no other one has or gets", () => {
    const at = new Date(Date.UTC(2026, 10, 28));
    noteTimeline(directory, "00000001", at);
    expect(reserveTimeline(directory)).toBe(2);
    expect(reserveTimeline(directory)).toBe(3);
    writeFileSync(join(directory, "00000007.history"), "");
    expect(reserveTimeline(directory)).toBe(8);
  });

  test("is not one of those that are passed over", () => {
    expect(historiesBetween("00000009", 13, ["0000000B.history"])).toEqual([
      ...["0000000A.history", "0000000C.history"],
    ]);
    expect(historiesBetween("00000003", 4, [])).toEqual([]);
  });
});
