import { describe, expect, test } from "vitest";
import type { BaseBackup } from "../../host/backrest.ts";
import { nextWal, recoverableSpans } from "../../host/recovery-window.ts";

const walOf = (number: number) =>
  `00000001${"0".repeat(8)}${number.toString(16).toUpperCase().padStart(8, "0")}`;
const wals = (...numbers: number[]) => new Set(numbers.map(walOf));
const beats = (...pairs: [at: number, wal: number][]) =>
  pairs.map(([at, wal]) => ({ at, wal: walOf(wal) }));

function aBackup(stoppedAt: number, start: number, stop = start): BaseBackup {
  return {
    label: `b${stoppedAt}`,
    repository: 1,
    type: "full",
    startedAt: stoppedAt - 500,
    stoppedAt,
    startWal: walOf(start),
    stopWal: walOf(stop),
    startLsn: "0/1",
    databaseBytes: 0,
    repositoryBytes: 0,
  };
}

describe("the next segment of WAL", () => {
  test.each([
    [`${"0".repeat(23)}1`, `${"0".repeat(23)}2`],
    ["0000000100000000000000FF", "000000010000000100000000"],
    ["00000002000000AB000000FF", "00000002000000AC00000000"],
  ])("of %s is %s", (wal, next) => {
    expect(nextWal(wal)).toBe(next);
  });
});

describe("what can be recovered", () => {
  test("begins after the oldest backup and ends with the last commit that is archived", () => {
    const spans = recoverableSpans(
      [aBackup(10_000, 1), aBackup(20_000, 4)],
      wals(1, 2, 3, 4, 5),
      beats([12_000, 1], [30_000, 5], [40_000, 6]),
    );
    expect(spans).toEqual([{ from: 11_000, to: 30_000 }]);
  });

  test("has a gap where a segment is missing, up to the end of the next backup", () => {
    const spans = recoverableSpans(
      [aBackup(10_000, 1), aBackup(50_000, 6)],
      wals(1, 2, 4, 5, 6, 7),
      beats([12_000, 1], [15_000, 2], [20_000, 3], [30_000, 4], [60_000, 7]),
    );
    expect(spans).toEqual([
      { from: 11_000, to: 15_000 },
      { from: 51_000, to: 60_000 },
    ]);
  });

  test("is nothing without a backup, and nothing of a backup whose own WAL is missing", () => {
    expect(recoverableSpans([], wals(1, 2), beats([1, 1]))).toEqual([]);
    const backups = [aBackup(10_000, 1, 2)];
    expect(recoverableSpans(backups, wals(1, 3), beats([20_000, 3]))).toEqual([]);
    expect(recoverableSpans(backups, wals(2, 3), beats([20_000, 3]))).toEqual([]);
  });

  test("is never promised up to a moment at which no commit is known", () => {
    expect(recoverableSpans([aBackup(10_000, 1)], wals(1, 2, 3), [])).toEqual([]);
  });
});
