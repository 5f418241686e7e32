// From which moment to which a database can be recovered.
import { describe, expect, test } from "vitest";
import type { BaseBackup } from "../../../host/base-backup/repository.ts";
import { recoverableSpans } from "../../../host/base-backup/window.ts";
import { segmentBytes } from "../../../host/instance/size.ts";

const minute = 60_000;
const at = (timeline: number, number: number) =>
  `0000000${timeline}00000000${number.toString(16).toUpperCase().padStart(8, "0")}`;
const lsn = (segment: number) => `0/${(segment * segmentBytes).toString(16).toUpperCase()}`;

function backup(minutes: number, first: number, timeline = 1): BaseBackup {
  return {
    ...{ label: `b${minutes}`, type: "full", startedAt: minutes * 60 - 5, stoppedAt: minutes * 60 },
    ...{ firstWal: at(timeline, first), lastWal: at(timeline, first) },
    ...{ startLsn: lsn(first), endLsn: lsn(first + 1), databaseBytes: 1, repositoryBytes: 1 },
  };
}

/** Segments, each kept in the minute of its number. */
const kept = (...names: readonly string[]) =>
  new Map(names.map((name) => [name, Number.parseInt(name.slice(16), 16) * minute]));
const first = { timeline: "00000001", ancestors: new Map<string, bigint>() };
const life = { lineage: first, from: 0, to: 9 * minute };

describe("a window", () => {
  test("begins after the second a base backup was over in, and ends with the life", () => {
    const spans = recoverableSpans([backup(2, 2)], kept(at(1, 2), at(1, 3)), [life]);
    expect(spans).toEqual([{ from: 2 * minute + 1000, to: 9 * minute }]);
  });

  test("ends before a gap, and begins again with the next base backup", () => {
    const archived = kept(...[1, 2, 3, 5, 6].map((number) => at(1, number)));
    expect(recoverableSpans([backup(1, 1), backup(5, 5)], archived, [life])).toEqual([
      { from: minute + 1000, to: 3 * minute },
      { from: 5 * minute + 1000, to: 9 * minute },
    ]);
  });

  test("is none without the WAL of a base backup's own time", () => {
    expect(recoverableSpans([backup(2, 2)], kept(at(1, 3)), [life])).toEqual([]);
    expect(recoverableSpans([], kept(at(1, 3)), [life])).toEqual([]);
  });

  test("goes on over a restore, with the time that was left behind", () => {
    const ancestors = new Map([["00000001", BigInt(4 * segmentBytes)]]);
    const second = { timeline: "00000002", ancestors };
    const archived = kept(...[2, 3, 4, 5].map((number) => at(1, number)), at(2, 4), at(2, 5));
    const lives = [
      { lineage: first, from: 0, to: 6 * minute },
      { lineage: second, from: 6 * minute, to: 9 * minute },
    ];
    const whole = [{ from: 2 * minute + 1000, to: 9 * minute }];
    expect(recoverableSpans([backup(2, 2)], archived, lives)).toEqual(whole);
    // One from after the moment that was gone back to is not of the second past.
    expect(recoverableSpans([backup(5, 5)], archived, lives)).toEqual([
      { from: 5 * minute + 1000, to: 6 * minute },
    ]);
  });
});
