import { expect, test } from "vitest";
import { type BackupHistory, dueBackup } from "../../src/backup/schedule.ts";
import { idleArchive } from "../support/fake-recovery.ts";

const hour = 3_600_000;
const now = new Date("2026-01-02T00:00:00Z");
const ago = (hours: number) => new Date(now.getTime() - hours * hour);
const gibibyte = 1024 ** 3;

const taken = (fullHours: number, lastHours: number, walBytes = 0): BackupHistory => ({
  lastFullAt: ago(fullHours),
  last: { createdAt: ago(lastHours), walBytes },
  lastFailedAt: null,
});
const none: BackupHistory = { lastFullAt: null, last: null, lastFailedAt: null };

const archived = (walBytes: number, written: number | null = null) => ({
  ...idleArchive,
  wal_bytes: walBytes,
  written_since_backup_bytes: written,
});

test("nothing is due of a host that has written nothing since, however long that is", () => {
  const long = taken(24 * 90, 24 * 90);
  expect(dueBackup(now, archived(gibibyte, 60_000), long)).toBeNull();
  expect(dueBackup(now, archived(gibibyte, 70_000), long)).toBe("full");
  expect(dueBackup(now, archived(gibibyte, 0), none)).toBe("full");
});

test.each<[string, BackupHistory, number, "full" | "incr" | null]>([
  ["none was ever taken", none, 0, "full"],
  ["a day has passed since the last full one", taken(24, 1), 0, "full"],
  ["six hours have passed since the last one", taken(10, 6), 0, "incr"],
  ["a gibibyte was written since the last one", taken(1, 1), gibibyte, "incr"],
  ["neither has", taken(5, 5), gibibyte - 1, null],
  ["one has just failed", { ...none, lastFailedAt: ago(0.1) }, 0, null],
  ["one failed a while ago", { ...none, lastFailedAt: ago(0.3) }, 0, "full"],
])("when %s", (_, history, walBytes, type) => {
  expect(dueBackup(now, archived(walBytes), history)).toBe(type);
});
