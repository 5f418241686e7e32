// When a base backup is due.
import { describe, expect, test } from "vitest";
import { backupDue, lastMoment } from "../../../host/base-backup/due.ts";
import type { BackupState } from "../../../host/base-backup/state.ts";

const day = 86_400_000;
const now = Date.UTC(2026, 10, 28, 12);
const database = "proj_test";
const own = lastMoment(database, now);

function state(change: Partial<BackupState> = {}): BackupState {
  const newest = { label: "one", at: own - 1000, position: "1000000" };
  return { newest, fullAt: now - day, failed: null, damaged: null, asked: [], ...change };
}

describe("a base backup", () => {
  test("is due each day after the database's own moment", () => {
    expect(own).toBeLessThanOrEqual(now);
    expect(now - own).toBeLessThan(day);
    expect(backupDue(database, state(), 2_000_000n, now)).toBe("incr");
    const newest = { label: "two", at: own + 1000, position: "1000000" };
    expect(backupDue(database, state({ newest }), 2_000_000n, now)).toBeNull();
  });

  test("is full each week, and when there is none yet", () => {
    expect(backupDue(database, state({ fullAt: now - 7 * day }), 2_000_000n, now)).toBe("full");
    expect(backupDue(database, state({ newest: null, fullAt: null }), null, now)).toBe("full");
  });

  test("is not due of one that wrote nothing, or of which that is not known", () => {
    expect(backupDue(database, state(), 1_000_100n, now)).toBeNull();
    expect(backupDue(database, state(), null, now)).toBeNull();
  });

  test("is due where another instance is in its place", () => {
    expect(backupDue(database, state(), 900_000n, now)).toBe("incr");
  });

  test("is full when one is damaged, and waits after one that failed", () => {
    const damaged = { since: "2026-11-28T00:00:00Z", detail: "a file" };
    expect(backupDue(database, state({ damaged }), 1_000_000n, now)).toBe("full");
    const failed = { since: "2026-11-28T00:00:00Z", detail: "full disk", at: now - 1000 };
    expect(backupDue(database, state({ failed }), 2_000_000n, now)).toBeNull();
    const before = { ...failed, at: now - 3_600_000 };
    expect(backupDue(database, state({ failed: before }), 2_000_000n, now)).toBe("incr");
  });

  test("has a moment of the day that is the database's own", () => {
    const moments = Array.from({ length: 24 }, (_, number) => lastMoment(`proj_${number}`, now));
    const hours = new Set(moments.map((moment) => Math.floor(moment / 3_600_000)));
    expect(hours.size).toBeGreaterThan(8);
  });
});
